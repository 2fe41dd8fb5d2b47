// SPDX-License-Identifier: Apache-2.0
// The timers that a Go program waits for, from the runtime's own lists of them.
#pragma once

#include <cstdint>
#include <vector>

#include "userspace/go/runtime/runtime.h"

namespace dwell {

enum class GoTimerKind : std::uint8_t {
  kChannel,     // time.After, NewTimer, NewTicker: sends the time to a channel
  kFunction,    // time.AfterFunc
  kContext,     // a context's deadline
  kSleep,       // time.Sleep
  kDescriptor,  // a deadline of reads and writes
  kOther,       // the runtime's own
};

struct GoTimer {
  std::uint64_t address = 0;    // of its runtime.timer
  std::uint64_t when_ns = 0;    // CLOCK_MONOTONIC
  std::uint64_t period_ns = 0;  // 0: once
  std::uint64_t callback = 0;   // code that the runtime calls
  std::uint64_t argument = 0;   // its channel, function or goroutine
  std::uint64_t function = 0;   // the code of an AfterFunc's function
  GoTimerKind kind = GoTimerKind::kOther;
};

struct GoTimers {
  std::vector<GoTimer> pending;
  std::uint64_t torn = 0;  // that changed while they were read, and are not told
};

// All that are pending, stopped ones left out. Refused where this version's layout is not known.
Result<GoTimers> read_timers(const GoRuntime& runtime);

}  // namespace dwell
