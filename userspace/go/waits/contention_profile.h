// SPDX-License-Identifier: Apache-2.0
// Waits by call site, from the runtime's own mutex and block profiles, where the program has switched them
// on: what its /debug/pprof/mutex and block would tell, without asking the program.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "userspace/go/runtime/runtime.h"
#include "userspace/go/record/look.h"

namespace dwell {

struct ContentionSite {
  std::uint64_t bucket = 0;                 // where the runtime counts it, for as long as the program runs
  std::int64_t contentions = 0, ticks = 0;  // as the runtime counted them
  std::vector<std::uint64_t> pcs;           // return addresses, innermost first
  std::vector<GoCall> calls;                // innermost first
};

struct ContentionProfile {
  GoProfileKind kind = GoProfileKind::kMutex;
  std::uint64_t ticks_per_second = 0;
  // What one counted wait stands for: before Go 1.21 the runtime samples locks, and scales when it is asked.
  std::int64_t scale = 1;
  std::vector<ContentionSite> sites;  // longest waits first
};

void sort_contention(ContentionProfile& profile);

// Those profiles that have anything: mutex, block.
std::vector<ContentionProfile> read_contention_profiles(const GoRuntime& runtime);

}  // namespace dwell
