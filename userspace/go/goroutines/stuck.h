// SPDX-License-Identifier: Apache-2.0
// Which goroutines can never wake: what they wait for can be reached by nothing that still runs.
//
// The collector's own argument, from outside: everything is marked that global variables, timers, finalizers
// and the stacks of goroutines that may run lead to. A goroutine that waits for a channel or a lock is not
// assumed to run: it becomes so when what it waits for is marked. Who is left can be woken by nobody.
//
// Memory changes while it is read, and registers of running goroutines are not seen. Both can only make
// something look unreachable for a moment. So a goroutine counts only if it was left over in several looks and
// has not run since before the first; where one look turned out to be wrong about any goroutine, more looks
// must agree; and it is proved only if no goroutine was on a processor in all of them.
#pragma once

#include <absl/container/flat_hash_set.h>

#include <cstdint>
#include <string>

#include "userspace/base/result.h"
#include "userspace/go/contexts/contexts.h"
#include "userspace/go/heap/holders.h"
#include "userspace/go/heap/open_files.h"
#include "userspace/go/record/look.h"
#include "userspace/go/runtime/runtime.h"

namespace dwell {

struct StuckOptions {
  int looks = 2;                                      // at least
  int most_looks = 8;                                 // if goroutines ran in all of them, or looks disagreed
  std::uint64_t pause_ns = 500'000'000;               // between two looks
  bool what_is_unheld = false;                        // useless timers and lost contexts as well
  std::uint64_t copy_limit = std::uint64_t{8} << 30;  // of the heap's memory
};

struct StuckFinding {
  absl::flat_hash_set<std::uint64_t> goroutines;      // numbers of those that can never wake
  absl::flat_hash_set<std::uint64_t> abandoned;       // that wait only for lost contexts
  GoNotJudged not_judged;                             // at the last look
  std::vector<GoContext> contexts;                    // as of the last look; lost: at all looks
  std::vector<GoHolder> holders;                      // as of the last look, with their growth since the first
  GoOpenFiles files;                                  // as of the last look
  std::uint64_t reached_bytes = 0;                    // of the heap: what something leads to
  absl::flat_hash_set<std::uint64_t> useless_timers;  // addresses of those that nobody can receive from
  bool proved = false;                                // else they are very likely stuck
  std::string reservation;                            // why it is not proved
  int looks = 0;
  std::uint64_t candidates = 0;    // that waited for a channel or a lock
  std::uint64_t copied_bytes = 0;  // at the last look
  std::uint64_t took_ns = 0;       // the pauses left out

  bool any_stuck() const { return !goroutines.empty() || !abandoned.empty(); }
};

Result<StuckFinding> find_stuck(const GoRuntime& runtime, const StuckOptions& options = {});

}  // namespace dwell
