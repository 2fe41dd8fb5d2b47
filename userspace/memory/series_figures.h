// SPDX-License-Identifier: Apache-2.0
// From ticks to figures by series, over a range of time. All views begin here.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/recording/model.h"
#include "userspace/memory/view.h"
#include "userspace/memory/part.h"

namespace dwell {

// Ticks [first, last) and the moments at which they begin and end.
struct TickRange {
  std::size_t first = 0, last = 0;
  std::uint64_t start_ns = 0, end_ns = 0;
};
// The ticks that lie wholly within the filter's range. Exit::kUsage if it ends before it begins.
Result<TickRange> tick_range(const Recording& recording, const MemoryFilter& filter);

// Blocks and bytes; scaled where the recording is sampled. Sums wrap around as unsigned numbers do, so that
// differences are exact; negative ones are read through blocks() and bytes().
struct Sum {
  std::uint64_t block_units = 0, byte_units = 0, variance = 0;
  void add(const Sum& other) {
    block_units += other.block_units;
    byte_units += other.byte_units;
    variance += other.variance;
  }
  void subtract(const Sum& other) {
    block_units -= other.block_units;
    byte_units -= other.byte_units;
    variance -= other.variance;
  }
  double bytes() const { return static_cast<double>(static_cast<std::int64_t>(byte_units)); }
};

// Of one row of a tick, scaled where the recording is sampled.
Sum allocated_in(const MemoryTick& tick, std::size_t row);
Sum freed_in(const MemoryTick& tick, std::size_t row);

// Of what windows saw: docs/budget.md.
struct Estimate {
  bool any = false;               // some of the figures are estimates
  bool retained_unknown = false;  // those do not include what is retained of it
  bool range_only = false;        // of what is retained, only between what and what it lies
  double allocated_variance = 0, below = 0, above = 0;  // bytes squared: of what is allocated, retained
  void add(const Estimate& other) {
    any |= other.any, retained_unknown |= other.retained_unknown, range_only |= other.range_only;
    allocated_variance += other.allocated_variance, below += other.below, above += other.above;
  }
};

struct SeriesFigures {
  Sum before;              // live where the range begins
  Sum retained;            // live where it ends
  Sum allocated, freed;    // within
  Sum temporary;           // of the freed, the young ones
  Sum peak;                // live at the highest point of its process and kind
  Sum inherited, dropped;  // by fork; by exec and exit
  Estimate estimate;
  void add(const SeriesFigures& other);
};

struct AccountPeak {  // of one process and kind
  ProcessSlot process;
  MemoryKind kind;
  std::uint64_t time_ns;
  double bytes;
};

struct RangeFigures {
  TickRange range;
  std::vector<SeriesFigures> by_series;
  std::vector<AccountPeak> peaks;
  // Live bytes at some moments of the range, evenly spread: by moment, and then by series.
  std::vector<std::uint64_t> moments_ns;
  std::vector<std::vector<double>> live_at;
};

RangeFigures range_figures(const Recording& recording, const TickRange& range, std::uint64_t temporary_ns,
                           bool with_moments);

// Blocks, where `units` are what a Sum counts.
double blocks_of(const Recording& recording, std::uint64_t units);

// Whether memory_of(recording).live shows what was there where the range ends.
bool live_set_fits(const Recording& recording, const TickRange& range);

}  // namespace dwell
