// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/series_figures.h"
#include "userspace/memory/part.h"
#include "userspace/memory/windows/figures.h"

#include <algorithm>
#include <bit>
#include <map>

namespace dwell {

namespace {

constexpr std::size_t kMostMoments = 32, kFewestMoments = 8;
constexpr std::size_t kMostPoints = std::size_t{8} << 20;  // moments x series that are kept

Sum moved_in(const MovedRow& row, bool sampled) {
  if (!sampled) return {static_cast<std::uint64_t>(row.blocks), static_cast<std::uint64_t>(row.bytes), 0};
  return {static_cast<std::uint64_t>(row.scaled_blocks), static_cast<std::uint64_t>(row.scaled_bytes),
          static_cast<std::uint64_t>(row.scaled_variance)};
}

Sum negated(const Sum& sum) { return {0 - sum.block_units, 0 - sum.byte_units, 0 - sum.variance}; }

using Account = std::pair<ProcessSlot, MemoryKind>;

struct Peak {
  std::size_t tick;
  std::uint64_t bytes, time_ns;
};

// The tick in which each account was highest. None for an account that did not change.
std::map<Account, Peak> find_peaks(const Recording& recording, const TickRange& range) {
  std::map<Account, Peak> peaks;
  for (std::size_t i = range.first; i < range.last; ++i) {
    for (const PeakRow& row : memory_of(recording).ticks[i].peaks) {
      auto [it, first] = peaks.try_emplace(Account(row.process, row.kind), Peak{i, row.bytes, row.time_ns});
      if (!first && row.bytes > it->second.bytes) it->second = {i, row.bytes, row.time_ns};
    }
  }
  return peaks;
}

class Accumulator {
 public:
  Accumulator(const Recording& recording, const TickRange& range, std::uint64_t temporary_ns, bool with_moments)
      : recording_(recording), peaks_(find_peaks(recording, range)),
        temporary_log2_(temporary_ns ? std::bit_width(temporary_ns) - 1 : 0) {
    figures_.range = range;
    figures_.by_series.resize(memory_of(recording).series.size());
    if (with_moments) choose_moments();
  }

  RangeFigures run() {
    const TickRange& range = figures_.range;
    for (std::size_t i = 0; i < range.first; ++i) follow_live(memory_of(recording_).ticks[i]);
    for (SeriesFigures& figures : figures_.by_series) figures.before = figures.peak = figures.retained;
    std::size_t next_moment = 0;
    for (std::size_t i = range.first; i < range.last; ++i) {
      count(memory_of(recording_).ticks[i]);
      follow_live(memory_of(recording_).ticks[i]);
      keep_peaks(i);
      if (next_moment < moment_ticks_.size() && moment_ticks_[next_moment] == i) {
        keep_moment(i);
        ++next_moment;
      }
    }
    for (const auto& [account, peak] : peaks_)
      figures_.peaks.push_back({account.first, account.second, peak.time_ns, static_cast<double>(peak.bytes)});
    return std::move(figures_);
  }

 private:
  // Ticks whose ends are spread evenly in time.
  void choose_moments() {
    const TickRange& range = figures_.range;
    std::size_t series = std::max<std::size_t>(memory_of(recording_).series.size(), 1);
    std::size_t most = std::clamp(kMostPoints / series, kFewestMoments, kMostMoments);
    double span = static_cast<double>(range.end_ns - range.start_ns);
    for (std::size_t i = range.first, taken = 0; i < range.last; ++i) {
      double passed = static_cast<double>(memory_of(recording_).ticks[i].end_ns - range.start_ns);
      if (passed < span * static_cast<double>(taken + 1) / static_cast<double>(most) && range.last - range.first > most)
        continue;
      moment_ticks_.push_back(i);
      taken = span > 0 ? static_cast<std::size_t>(passed / span * static_cast<double>(most)) : taken + 1;
    }
  }

  void follow_live(const MemoryTick& tick) {
    for (std::size_t i = 0; i < tick.rows.size(); ++i) {
      Sum& live = figures_.by_series[tick.rows[i].series].retained;
      live.add(allocated_in(tick, i));
      live.subtract(freed_in(tick, i));
    }
    for (const MovedRow& row : tick.moved)
      figures_.by_series[row.series].retained.add(moved_in(row, recording_.sampled()));
  }

  void count(const MemoryTick& tick) {
    for (std::size_t i = 0; i < tick.rows.size(); ++i) {
      SeriesFigures& figures = figures_.by_series[tick.rows[i].series];
      figures.allocated.add(allocated_in(tick, i));
      figures.freed.add(freed_in(tick, i));
    }
    for (const LifetimeRow& row : tick.lifetimes)
      if (row.log2_ns < temporary_log2_) figures_.by_series[row.series].temporary.add({row.blocks, row.bytes, 0});
    for (const MovedRow& row : tick.moved) {
      SeriesFigures& figures = figures_.by_series[row.series];
      Sum sum = moved_in(row, recording_.sampled());
      if (row.bytes > 0 || row.blocks > 0) {
        figures.inherited.add(sum);
      } else {
        figures.dropped.add(negated(sum));
      }
    }
  }

  void keep_peaks(std::size_t tick_index) {
    const MemoryPart& memory = memory_of(recording_);
    for (const auto& [account, peak] : peaks_) {
      if (peak.tick != tick_index) continue;
      for (std::size_t i = 0; i < memory.series.size(); ++i) {
        const Series& series = memory.series[i];
        if (Account(series.process, series.kind) == account) figures_.by_series[i].peak = figures_.by_series[i].retained;
      }
      for (const TickRow& row : memory.ticks[tick_index].rows) {
        const Series& series = memory.series[row.series];
        if (Account(series.process, series.kind) != account) continue;
        Sum& at_peak = figures_.by_series[row.series].peak;
        at_peak.block_units += static_cast<std::uint64_t>(row.peak_blocks);
        at_peak.byte_units += static_cast<std::uint64_t>(row.peak_bytes);
      }
    }
  }

  void keep_moment(std::size_t tick_index) {
    figures_.moments_ns.push_back(memory_of(recording_).ticks[tick_index].end_ns);
    std::vector<double>& live = figures_.live_at.emplace_back();
    live.reserve(figures_.by_series.size());
    for (const SeriesFigures& figures : figures_.by_series) live.push_back(figures.retained.bytes());
  }

  const Recording& recording_;
  std::map<Account, Peak> peaks_;
  int temporary_log2_;
  std::vector<std::size_t> moment_ticks_;
  RangeFigures figures_;
};

}  // namespace

Sum allocated_in(const MemoryTick& tick, std::size_t row) {
  if (tick.scaled.empty()) return {tick.rows[row].allocs, tick.rows[row].alloc_bytes, 0};
  const Scaled& scaled = tick.scaled[row].allocated;
  return {scaled.blocks, scaled.bytes, scaled.variance};
}

Sum freed_in(const MemoryTick& tick, std::size_t row) {
  if (tick.scaled.empty()) return {tick.rows[row].frees, tick.rows[row].freed_bytes, 0};
  const Scaled& scaled = tick.scaled[row].freed;
  return {scaled.blocks, scaled.bytes, scaled.variance};
}

void SeriesFigures::add(const SeriesFigures& other) {
  before.add(other.before);
  retained.add(other.retained);
  allocated.add(other.allocated);
  freed.add(other.freed);
  temporary.add(other.temporary);
  peak.add(other.peak);
  inherited.add(other.inherited);
  dropped.add(other.dropped);
  estimate.add(other.estimate);
}

Result<TickRange> tick_range(const Recording& recording, const MemoryFilter& filter) {
  const std::vector<MemoryTick>& ticks = memory_of(recording).ticks;
  std::uint64_t start = recording.start_ns();
  std::uint64_t from = filter.from_ns.value_or(0), to = filter.to_ns.value_or(~std::uint64_t{0});
  if (from > to) return Error{"the time range ends before it begins", "give --from a smaller value than --to", Exit::kUsage};
  auto since_start = [&](std::uint64_t time) { return time > start ? time - start : 0; };
  TickRange range;
  while (range.first < ticks.size() && since_start(ticks[range.first].start_ns) < from) ++range.first;
  range.last = range.first;
  while (range.last < ticks.size() && since_start(ticks[range.last].end_ns) <= to) ++range.last;
  if (range.first < ticks.size()) {
    range.start_ns = ticks[range.first].start_ns;
  } else {
    range.start_ns = ticks.empty() ? start : ticks.back().end_ns;
  }
  range.end_ns = range.last > range.first ? ticks[range.last - 1].end_ns : range.start_ns;
  return range;
}

RangeFigures range_figures(const Recording& recording, const TickRange& range, std::uint64_t temporary_ns,
                           bool with_moments) {
  RangeFigures figures = Accumulator(recording, range, temporary_ns, with_moments).run();
  memory::windows::add_estimates(recording, figures);
  return figures;
}

double blocks_of(const Recording& recording, std::uint64_t units) {
  double blocks = static_cast<double>(static_cast<std::int64_t>(units));
  return recording.sampled() ? blocks / static_cast<double>(kScaledBlock) : blocks;
}

bool live_set_fits(const Recording& recording, const TickRange& range) {
  if (memory_of(recording).live.time_ns == 0) return false;
  if (memory_of(recording).live.time_ns == range.end_ns) return true;
  return range.last == memory_of(recording).ticks.size() && memory_of(recording).live.time_ns >= range.end_ns;
}

}  // namespace dwell
