// SPDX-License-Identifier: Apache-2.0
// TimerReport: the pending timers of a Go program, those that do the same merged.
#pragma once

#include <absl/container/flat_hash_set.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/go/timers/timers.h"

namespace dwell {

struct GoTimerGroup {
  GoTimerKind kind = GoTimerKind::kOther;
  std::string callback;         // the function of the runtime or of package time that is called
  std::uint64_t period_ns = 0;  // of a ticker; 0: once
  GoCall function;              // that AfterFunc will call
  std::vector<GoCall> calls;  // of the goroutine that sleeps, or that waits for the channel, innermost first
  GoCall creator;             // of that goroutine
  std::uint64_t count = 0;
  std::uint64_t soonest_ns = 0, latest_ns = 0;  // CLOCK_MONOTONIC
  bool waited_for = false;                      // a goroutine waits at this moment; else nobody does
  std::uint64_t not_taken = 0;                  // of them: what was sent is still in the channel
  std::optional<std::uint64_t> useless;  // of them, if it was proved: nothing can receive from the channel
};

// Who makes timers, by the program's own heap profile: an estimate from what it sampled.
struct TimerMaker {
  std::vector<GoCall> calls;  // from the caller of package time on, innermost first
  std::int64_t in_use_bytes = 0;
};

struct TimerReport {
  std::vector<GoTimerGroup> groups;  // with useless ones first, then most first
  std::uint64_t pending = 0;
  std::uint64_t torn = 0;  // that changed while they were read
  std::uint64_t useless_tickers = 0, useless_timers = 0;
  std::vector<TimerMaker> makers;  // the most memory first; empty if the profile is off, or tells of none
};

// `useless`: the addresses of those that were proved to be, if that was asked for.
Result<TimerReport> look_at_timers(const GoRuntime& runtime,
                                   const absl::flat_hash_set<std::uint64_t>* useless = nullptr);

}  // namespace dwell
