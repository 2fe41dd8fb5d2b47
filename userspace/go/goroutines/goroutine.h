// SPDX-License-Identifier: Apache-2.0
// Goroutine: what one look at a goroutine saw.
#pragma once

#include <cstdint>
#include <vector>

#include "userspace/go/record/look.h"

namespace dwell {

// As the runtime numbers them.
enum class GoStatus : std::uint8_t {
  kIdle = 0,
  kRunnable = 1,
  kRunning = 2,
  kSyscall = 3,
  kWaiting = 4,
  kDead = 6,
  kCopyStack = 8,
  kPreempted = 9,
  kLeaked = 10,  // found by the runtime's own leak profile; waits for ever
  kDeadExtra = 11,
};

struct Goroutine {
  std::uint64_t address = 0;  // of its runtime.g
  std::uint64_t id = 0;
  std::uint64_t parent = 0;  // 0: not recorded
  GoStatus status = GoStatus::kIdle;
  std::uint8_t wait_reason = 0;
  GoStackState stack_state = GoStackState::kRunning;
  std::uint64_t wait_since_ns =
      0;  // CLOCK_MONOTONIC of the first collection that found it waiting; 0: none did
  std::uint64_t creator_pc = 0, start_pc = 0;
  std::uint64_t waiting = 0;  // *sudog
  std::uint64_t labels = 0;
  std::uint64_t timer = 0;
  std::uint64_t thread = 0;  // *m, if it has one
  std::uint64_t stack_low = 0, stack_high = 0, sp = 0, pc = 0;
  std::uint8_t departures = 0;  // how often it left the running state, as the runtime counts: of 256
  std::vector<std::uint64_t> pcs;  // leaf first
};

inline bool waits(const Goroutine& goroutine) {
  return goroutine.status == GoStatus::kWaiting || goroutine.status == GoStatus::kLeaked;
}

}  // namespace dwell
