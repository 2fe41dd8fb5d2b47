// SPDX-License-Identifier: Apache-2.0
// How the memory of each recorded process changed, as a balance: RSS at the start and at the end, the parts whose differences
// add up to it, whether it rises steadily, and when it would reach a limit.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "userspace/memory/part.h"
#include "userspace/memory/series_figures.h"
#include "userspace/views/growth.h"
#include "userspace/views/trend.h"

namespace dwell {

struct PartChange {
  memory::Part part;
  std::int64_t bytes;
};

struct TimeToLimit {
  ProcessLimit limit;
  double seconds = 0, soonest = 0, latest = 0;  // 95 % confidence
};

struct ProcessBalance {
  ProcessSlot process = 0;
  std::uint64_t before = 0, after = 0;  // RSS
  std::uint64_t swapped_before = 0, swapped_after = 0;
  std::uint64_t duration_ns = 0;        // between these two
  std::uint64_t early_ns = 0;           // for how long before the recording the first was taken
  std::uint64_t last_known_ns = 0;      // since the start, of a process that ended within the range; 0: it did not
  bool has_parts = false;               // otherwise only the sums are known
  std::string no_parts;                 // why; "": a recording that has none, or a part of one
  std::vector<PartChange> parts;        // all that changed, the largest first
  std::optional<ProcessAccount> account;       // at the end
  std::optional<std::int64_t> proportional_change;  // of PSS
  std::optional<std::int64_t> live_change;     // of live blocks, usable bytes, in memory or not
  std::vector<std::uint64_t> times_ns;  // of the samples, since the start of the recording
  std::vector<double> resident;
  GrowthPattern growth;
  std::optional<SteadyTrend> trend;     // of memory that only the process can give back
  std::vector<ProcessLimit> limits;
  std::optional<TimeToLimit> time_left;  // the soonest
  std::int64_t change() const { return static_cast<std::int64_t>(after - before); }
};

// Those of which something is known, in order of slots.
std::vector<ProcessBalance> process_balances(const Recording& recording, const TickRange& range);

// A change of RSS that is no more than the noise of how it is counted.
bool is_level(const ProcessBalance& balance);

}  // namespace dwell
