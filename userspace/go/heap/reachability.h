// SPDX-License-Identifier: Apache-2.0
// One marking of a Go program's heap, with the goroutines that wait left out until something leads to them.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include <cstdint>
#include <string>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/go/contexts/contexts.h"
#include "userspace/go/heap/heap.h"
#include "userspace/go/heap/holders.h"
#include "userspace/go/heap/open_files.h"
#include "userspace/go/goroutines/goroutine.h"
#include "userspace/go/goroutines/stillness.h"
#include "userspace/go/heap/stack_roots.h"

namespace dwell {

// A goroutine that nothing wakes, and what it waits for: its channels, or its lock.
struct Unwoken {
  Stillness still;
  std::uint64_t waits_at = 0;  // of them all
};

struct Unreached {
  absl::flat_hash_map<std::uint64_t, Unwoken> goroutines;  // by number
  absl::flat_hash_map<std::uint64_t, Unwoken> abandoned;   // the same, of those that wait only for lost contexts
  GoNotJudged not_judged;
  absl::flat_hash_set<std::uint64_t> ran;         // whose registers were not seen
  // Pending timers that send to a channel which nothing holds and nobody waits for: their period, or when
  // they are due, by address.
  absl::flat_hash_map<std::uint64_t, std::uint64_t> useless_timers;
  std::vector<GoContext> contexts;  // that are not cancelled
  std::vector<GoHolder> holders;    // global variables that lead to most, the largest first
  std::uint64_t reached_bytes = 0;  // of all objects that something leads to
  GoFileSet files;                  // that are open
  std::uint64_t files_held = 0, files_holder = 0;  // as in GoOpenFiles
  std::uint64_t candidates = 0;
  std::uint64_t copied_bytes = 0;
};

// `what_is_unheld`: timers and contexts, too, which takes a second marking.
Result<Unreached> mark_reachable(const GoRuntime& runtime, std::uint64_t copy_limit, bool what_is_unheld);

}  // namespace dwell
