// SPDX-License-Identifier: Apache-2.0
// From what was counted in the kernel to the report: named stacks, figures, order.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "userspace/clocks/clock_probes.h"
#include "userspace/clocks/clocks_report.h"
#include "userspace/clocks/read_rates.h"
#include "userspace/clocks/stack_book.h"

namespace dwell {

struct ClockCounts {
  ReadWatchState watch;
  std::vector<std::pair<dwell_read_key, std::uint64_t>> reads;  // only those of samples are looked at
  std::vector<std::pair<dwell_wait_key, dwell_wait_stats>> waits;
  std::vector<std::pair<std::uint32_t, dwell_open_wait>> open_waits;
  std::vector<std::pair<dwell_pair_key, dwell_pair_stats>> pairs;
  dwell_sample_totals samples{};
  std::uint64_t sample_period_ns = 0;
  std::uint64_t now_ns = 0;
  double vdso_read_ns = 0, vdso_coarse_ns = 0;  // what one read costs, measured
};

// Reads, waits and intervals, into a report that has none yet.
void add_counts(ClocksReport& report, const ClockCounts& counts, const StackBook& book,
                const std::vector<CodeSpan>& probed, const dwell_vdso_range& vdso);

}  // namespace dwell
