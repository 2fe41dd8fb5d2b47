// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/windows/figures.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "ui/values.h"
#include "userspace/base/text.h"
#include "userspace/memory/part.h"
#include "userspace/memory/windows/part.h"

namespace dwell::memory::windows {
namespace {

constexpr double kTwoSided95 = 1.96;

std::uint64_t whole(double value) { return static_cast<std::uint64_t>(std::llround(std::clamp(value, 0.0, 9e18))); }

// Ticks of the range, and the sums of each process over them.
struct InRange {
  std::vector<const WindowTick*> ticks;
  std::map<ProcessSlot, WindowsOfProcess> processes;
};

InRange in_range(const Recording& recording, const TickRange& range) {
  InRange result;
  for (const WindowTick& tick : memory_of(recording).windows.ticks) {
    if (tick.start_ns < range.start_ns || tick.end_ns > range.end_ns) continue;
    result.ticks.push_back(&tick);
    for (const WindowsOfProcess& one : tick.processes) {
      WindowsOfProcess& sum = result.processes[one.process];
      sum.process = one.process;
      sum.windows += one.windows;
      sum.cut += one.cut;
      sum.covered_ns += one.covered_ns;
      sum.stood_for_ns += one.stood_for_ns;
      sum.lasted_ns += one.lasted_ns;
      sum.rates += one.rates;
      sum.squared_rates += one.squared_rates;
      sum.own.add(one.own);
    }
  }
  return result;
}

// Windows that were missed leave intervals that the others stand for.
double scale_of(const WindowsOfProcess& windows) {
  if (windows.stood_for_ns == 0) return 1;
  double missed = static_cast<double>(windows.lasted_ns) / static_cast<double>(windows.stood_for_ns);
  return missed * windows.own.factor();
}

// What all figures share: how much the rate varies from window to window, over how many there were.
double common_error(const WindowsOfProcess& windows) {
  auto count = static_cast<double>(windows.windows);
  if (count < 2 || windows.rates <= 0) return 1;
  double mean = windows.rates / count;
  double variance = std::max(0.0, windows.squared_rates / count - mean * mean);
  return std::min(1.0, std::hypot(std::sqrt(variance / count) / mean, windows.own.error()));
}

void add(SeriesFigures& figures, const WindowRow& row, double scale) {
  std::uint64_t blocks = whole(row.blocks * scale), bytes = whole(row.bytes * scale);
  figures.allocated.add({blocks, bytes, 0});
  figures.freed.add({blocks, bytes, 0});  // less what is retained: below
  figures.estimate.allocated_variance += row.bytes_variance * scale * scale;
  figures.estimate.any = true;
}

// `common`: the error that all figures share.
void add(SeriesFigures& figures, const RetainedRow& row, double common) {
  Sum retained{whole(row.blocks), whole(row.bytes), 0};
  figures.retained.add(retained);
  figures.freed.subtract(retained);
  double shared = row.anchored ? 0 : common;
  figures.estimate.below += std::pow(shared * row.bytes, 2) + (row.bytes - row.low) * (row.bytes - row.low) / (kTwoSided95 * kTwoSided95);
  figures.estimate.above += std::pow(shared * row.high, 2) + (row.high - row.bytes) * (row.high - row.bytes) / (kTwoSided95 * kTwoSided95);
  figures.estimate.any = true;
  figures.estimate.range_only |= !row.identity && !row.anchored;
}

}  // namespace

void add_estimates(const Recording& recording, RangeFigures& figures) {
  const WindowPart& windows = memory_of(recording).windows;
  InRange range = in_range(recording, figures.range);
  bool any = std::any_of(range.processes.begin(), range.processes.end(), [](const auto& one) { return one.second.lasted_ns > 0; });
  if (!any) return;
  figures.moments_ns.clear();
  figures.live_at.clear();
  const std::vector<Series>& series = memory_of(recording).series;
  for (const WindowTick* tick : range.ticks) {
    for (const WindowRow& row : tick->rows) add(figures.by_series[row.series], row, scale_of(range.processes[series[row.series].process]));
    for (const GivenUpRow& row : tick->given_up) {
      SeriesFigures& of = figures.by_series[row.series];
      of.dropped.subtract({row.blocks, row.bytes, 0});
      of.freed.add({row.blocks, row.bytes, 0});
    }
  }
  bool to_the_end = figures.range.last == memory_of(recording).ticks.size();
  if (to_the_end)
    for (const RetainedRow& row : windows.retained.rows)
      add(figures.by_series[row.series], row, common_error(range.processes[series[row.series].process]));
  for (std::size_t i = 0; i < series.size(); ++i) {
    bool unknown = !to_the_end || std::ranges::count(windows.retained.unknown, series[i].process) || windows.retained.time_ns == 0;
    SeriesFigures& of = figures.by_series[i];
    of.estimate.retained_unknown = of.estimate.any && unknown;
    // A program may hold more at the end than the windows saw it ask for: both are estimates.
    if (static_cast<std::int64_t>(of.freed.block_units) < 0) of.freed.block_units = 0;
    if (of.freed.bytes() < 0) of.freed.byte_units = 0;
  }
}

namespace {

// Of many processes one note, and not one for each.
std::vector<std::string> notes_of_many(const WindowPart& windows, const std::map<ProcessSlot, WindowsOfProcess>& processes) {
  std::size_t count = 0, walked = 0, unknown = 0;
  std::uint64_t number = 0;
  double lasted = 0, covered = 0, least = 1, most = 0;
  for (const auto& [slot, sum] : processes) {
    if (sum.lasted_ns == 0) continue;
    ++count;
    number += sum.windows;
    lasted += static_cast<double>(sum.lasted_ns), covered += static_cast<double>(sum.covered_ns);
    least = std::min(least, common_error(sum)), most = std::max(most, common_error(sum));
    walked += std::ranges::count(windows.retained.walked, slot) > 0;
    unknown += std::ranges::count(windows.retained.unknown, slot) > 0;
  }
  std::vector<std::string> notes{fmt::format(
      "within a budget of {:g} % in each process the heaps of {} processes were followed for {} on average by {} windows in all, which "
      "covered {:.2f} % of that: figures of that time are estimates, which share an error of ± {:.0f} to {:.0f} %{}",
      windows.percent, count, human_duration(static_cast<std::uint64_t>(lasted / static_cast<double>(count))), number, 100 * covered / lasted,
      100 * least, 100 * most, walked ? fmt::format("; what {} of them retain was held against walks of the heap", walked) : "")};
  if (unknown)
    notes.push_back(fmt::format("what is retained of that time is not known of {} of them: dwell cannot read the structures of their "
                                "allocator while it records", unknown));
  return notes;
}

}  // namespace

std::vector<std::string> notes_of_windows(const Recording& recording, const TickRange& range) {
  constexpr std::ptrdiff_t kFewProcesses = 2;
  const WindowPart& windows = memory_of(recording).windows;
  std::vector<std::string> notes;
  InRange all_windows = in_range(recording, range);
  if (std::ranges::count_if(all_windows.processes, [](const auto& one) { return one.second.lasted_ns > 0; }) > kFewProcesses)
    return notes_of_many(windows, all_windows.processes);
  for (const auto& [slot, sum] : all_windows.processes) {
    if (sum.lasted_ns == 0) continue;
    std::string of = recording.processes.size() > 1 ? fmt::format(" of process {}", recording.processes[slot].pid) : "";
    bool walked = std::ranges::count(windows.retained.walked, slot) > 0;
    double lasted = static_cast<double>(sum.lasted_ns), all = static_cast<double>(range.end_ns - range.start_ns);
    std::string text = fmt::format("within a budget of {:g} % the heap{} was followed exactly for {}, and for {} by {} windows that "
                                   "covered {:.2f} % of it: figures of that time are estimates, which share an error of ± {:.0f} %{}",
                                   windows.percent, of, human_duration(static_cast<std::uint64_t>(std::max(0.0, all - lasted))),
                                   human_duration(sum.lasted_ns), sum.windows, 100 * static_cast<double>(sum.covered_ns) / lasted,
                                   100 * common_error(sum), walked ? "; what is retained was held against walks of the heap" : "");
    if (sum.cut) text += fmt::format("; {} windows were shortened to keep the budget", sum.cut);
    notes.push_back(std::move(text));
    if (std::ranges::count(windows.retained.unknown, slot))
      notes.push_back("what is retained of that time is not known: dwell cannot read the structures of this allocator while it records");
  }
  return notes;
}

}  // namespace dwell::memory::windows
