// SPDX-License-Identifier: Apache-2.0
// The heap by call site, from the runtime's own sampled profile (runtime.MemProfile), read where it lies:
// what the program's /debug/pprof/heap would tell, without asking the program.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/go/runtime/runtime.h"
#include "userspace/go/record/look.h"

namespace dwell {

struct HeapSite {
  HeapCounts sampled;                                   // as the runtime counted them
  std::int64_t pending_objects = 0, pending_bytes = 0;  // allocated since, sampled: not in those figures yet
  HeapCounts scaled;                                    // what stands for in the whole, as pprof estimates it
  std::uint64_t bucket = 0;        // where the runtime counts it, for as long as the program runs
  std::uint64_t object_bytes = 0;  // of each object
  std::vector<std::uint64_t> pcs;  // return addresses, innermost first, as the runtime stored them
  std::vector<GoCall> calls;       // innermost first, from the allocating call on
};

struct HeapProfile {
  std::uint64_t rate = 0;       // one sample in so many bytes
  std::vector<HeapSite> sites;  // most bytes in use first
  HeapCounts total;             // scaled
};

// Refused where the program has no such profile: the linker leaves it out of those that never ask for it.
Result<HeapProfile> read_heap_profile(const GoRuntime& runtime);

// From what was sampled: the estimates and their sum, and the order.
void estimate_heap(HeapProfile& profile);

// Pure: the estimate for all allocations from those that were sampled.
HeapCounts scale_heap_counts(const HeapCounts& sampled, std::uint64_t rate);

}  // namespace dwell
