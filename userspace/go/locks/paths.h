// SPDX-License-Identifier: Apache-2.0
// What a function that waits somewhere will do with locks when it goes on: its code is followed along every way, with the
// values that its stack holds now. Go keeps nothing in registers across a call, so what an Unlock behind the call uses is on
// the stack already.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "userspace/go/locks/code.h"

namespace dwell {

struct LockAhead {
  std::uint64_t lock = 0;  // address of the sync.Mutex or sync.RWMutex
  LockUse use = LockUse::kMutex;
  std::uint64_t at = 0;        // of the instruction
  bool on_all_ways = false;    // to the function's end, but for panics
  bool operator==(const LockAhead&) const = default;
};

struct LocksAhead {
  std::vector<LockAhead> unlocked;  // before it would lock them
  std::vector<LockAhead> locked;    // before it would unlock them
};

// A word of the process's memory.
using WordReader = std::function<std::optional<std::uint64_t>(std::uint64_t address)>;

// From the return address of a call on, in a frame whose stack pointer is `stack_pointer`.
LocksAhead locks_ahead_of_frame(LockCodes& codes, std::uint64_t pc, std::uint64_t stack_pointer, const WordReader& read);
// From the beginning of a function that is called as this closure.
LocksAhead locks_ahead_of_closure(LockCodes& codes, std::uint64_t closure, const WordReader& read);

}  // namespace dwell
