// SPDX-License-Identifier: Apache-2.0
// What the garbage collector costs, from the runtime's own statistics, without a probe.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "userspace/go/go_runtime.h"

namespace dwell {

struct CollectorPause {
  std::uint64_t end_unix_ns = 0, ns = 0;
};

struct Collector {
  std::uint32_t cycles = 0, forced = 0;
  std::uint64_t pauses_ns = 0;          // of all cycles
  double cpu_share = 0;                 // of all the CPU time that the program could have had since it began
  std::vector<CollectorPause> last;     // at most 256, the latest first
  std::optional<std::int32_t> percent;  // GOGC; -1: off
  std::optional<std::int64_t> limit;    // GOMEMLIMIT, if there is one
  std::optional<std::uint64_t> live_bytes;  // marked by the last collection
  std::optional<std::uint64_t> heap_bytes;  // now, garbage included
  std::optional<std::uint64_t> goal_bytes;  // at which the next collection ends, by GOGC alone
};

// None if there was no collection yet, or its figures are not where dwell looks for them.
std::optional<Collector> read_collector(const GoRuntime& runtime);

}  // namespace dwell
