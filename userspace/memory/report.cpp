// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/report.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <tuple>
#include <utility>

#include "userspace/memory/sampling.h"
#include "userspace/views/frames.h"
#include "userspace/views/growth.h"
#include "userspace/memory/notes.h"
#include "userspace/memory/older_frees.h"
#include "userspace/memory/selection.h"
#include "userspace/memory/series_figures.h"
#include "userspace/memory/sites.h"
#include "userspace/memory/part.h"
#include "userspace/memory/words.h"

namespace dwell {

namespace {

using Account = std::pair<ProcessSlot, MemoryKind>;

// Errors of sites are independent but for what all share, which the notes tell.
void add_estimate(MemoryFigures& figures, const Estimate& estimate) {
  constexpr double kTwoSided95 = 1.96;
  figures.estimated = true;
  figures.retained_known = !estimate.retained_unknown;
  figures.range_only = estimate.range_only;
  figures.allocated_error = std::sqrt(estimate.allocated_variance);
  figures.retained_error = std::sqrt((estimate.below + estimate.above) / 2);
  figures.retained_low = std::max(0.0, figures.retained_bytes - kTwoSided95 * std::sqrt(estimate.below));
  figures.retained_high = figures.retained_bytes + kTwoSided95 * std::sqrt(estimate.above);
}

MemoryFigures figures_from(const Recording& recording, const SeriesFigures& sums) {
  auto blocks = [&](const Sum& sum) { return blocks_of(recording, sum.block_units); };
  MemoryFigures figures;
  figures.retained_bytes = sums.retained.bytes();
  figures.retained_blocks = blocks(sums.retained);
  figures.retained_error = standard_error(sums.retained.variance, recording.info.sample_period_bytes);
  if (sums.estimate.any) add_estimate(figures, sums.estimate);
  if (!sums.estimate.any) figures.retained_low = figures.retained_high = figures.retained_bytes;
  figures.allocated_bytes = sums.allocated.bytes();
  figures.allocations = blocks(sums.allocated);
  figures.freed_bytes = sums.freed.bytes();
  figures.frees = blocks(sums.freed);
  figures.temporary_bytes = sums.temporary.bytes();
  figures.temporary_blocks = blocks(sums.temporary);
  figures.peak_bytes = sums.peak.bytes();
  figures.peak_blocks = blocks(sums.peak);
  figures.inherited_bytes = sums.inherited.bytes();
  figures.inherited_blocks = blocks(sums.inherited);
  figures.dropped_bytes = sums.dropped.bytes();
  figures.dropped_blocks = blocks(sums.dropped);
  return figures;
}

bool anything(const SeriesFigures& sums) {
  for (const Sum* sum : {&sums.before, &sums.retained, &sums.allocated, &sums.freed, &sums.peak, &sums.inherited, &sums.dropped})
    if (sum->block_units != 0 || sum->byte_units != 0) return true;
  return false;
}

// What adds up to one row of the report: sums, live bytes at each moment, and the ages of what is retained.
struct Row {
  SeriesFigures sums = {};
  std::vector<double> live_at = {};
  std::vector<std::pair<std::uint64_t, std::uint64_t>> births = {};  // time, weight

  // `gone_ns`: what is there then went with its process; 0: nothing did.
  void add(const RangeFigures& figures, std::size_t series, std::uint64_t gone_ns) {
    SeriesFigures one = figures.by_series[series];
    if (gone_ns) one.dropped.add(std::exchange(one.retained, {}));
    sums.add(one);
    live_at.resize(figures.live_at.size());
    for (std::size_t moment = 0; moment < live_at.size(); ++moment)
      if (!gone_ns || figures.moments_ns[moment] < gone_ns) live_at[moment] += figures.live_at[moment][series];
  }
};

struct SummedRow : Row {
  std::map<ProcessSlot, Row> by_process;  // of a program with several
};

double figure_of(SortKey key, const SiteReport& site) {
  const MemoryFigures& figures = site.figures;
  switch (key) {
    case SortKey::kRetained: return retained_for_sure(figures);
    case SortKey::kBlocks: return figures.retained_blocks;
    case SortKey::kGrowth: return figures.growth_per_minute.value_or(-HUGE_VAL);
    case SortKey::kAllocated: return figures.allocated_bytes;
    case SortKey::kAllocations: return figures.allocations;
    case SortKey::kTemporary: return figures.temporary_blocks;
    case SortKey::kPeak: return figures.peak_bytes;
    case SortKey::kAge: return static_cast<double>(site.oldest_age_ns.value_or(0));
  }
  return 0;
}

// What min_bytes is compared with: the figure that is sorted by, where it is one of bytes.
double bytes_of(SortKey key, const SiteReport& site) {
  switch (key) {
    case SortKey::kGrowth: return std::abs(site.figures.growth_per_minute.value_or(0));
    case SortKey::kAllocated: case SortKey::kAllocations: return site.figures.allocated_bytes;
    case SortKey::kTemporary: return site.figures.temporary_bytes;
    case SortKey::kPeak: return site.figures.peak_bytes;
    default: return site.figures.retained_bytes;
  }
}

// Ties are broken by what is read, so that the order depends on nothing else.
bool before(SortKey key, const SiteReport& a, const SiteReport& b) {
  double figure_a = figure_of(key, a), figure_b = figure_of(key, b);
  if (figure_a != figure_b) return figure_a > figure_b;
  if (a.figures.retained_bytes != b.figures.retained_bytes) return a.figures.retained_bytes > b.figures.retained_bytes;
  if (a.figures.allocated_bytes != b.figures.allocated_bytes) return a.figures.allocated_bytes > b.figures.allocated_bytes;
  bool less = a.stack < b.stack;
  if (less || b.stack < a.stack) return less;
  return std::tie(a.process, a.kind, a.incomplete) < std::tie(b.process, b.kind, b.incomplete);
}

class ReportBuilder {
 public:
  ReportBuilder(const RecordingRef& recording, const MemoryFilter& filter, SortKey sort, GroupBy group,
                std::shared_ptr<const FrameTexts> texts)
      : recording_(*recording),
        filter_(filter),
        sort_(sort),
        texts_(*texts),
        programs_(*recording, filter.by_program && !filter.process),
        sites_(recording, std::move(texts), group, &programs_) {}

  Result<MemoryReport> build() {
    Result<TickRange> range = tick_range(recording_, filter_);
    if (!range) return range.error();
    figures_ = range_figures(recording_, *range, filter_.temporary_ns, !filter_.thread);
    if (filter_.thread) {
      Result<std::vector<SeriesFigures>> of_thread = figures_of_thread(recording_, *range, *filter_.thread);
      if (!of_thread) return of_thread.error();
      figures_.by_series = std::move(*of_thread);
    }
    Result<Selection> selection = select_series(recording_, texts_, filter_);
    if (!selection) return selection.error();

    report_sites(*selection);
    report_curves(*selection);
    report_recording(*range);
    report_totals();
    limit_estimates(*range);
    forget_growth_of_older();
    report_stacks(*selection);
    return std::move(report_);
  }

 private:
  // One call site after the other, so that what leads to its figures is kept for one only.
  void report_sites(const Selection& selection) {
    bool with_ages = live_set_fits(recording_, figures_.range);
    if (with_ages) sort_blocks(selection);
    report_.sites.reserve(filter_.min_bytes ? 0 : sites_.size());
    for (std::size_t site = 0; site < sites_.size(); ++site) {
      SummedRow row = add_up(site, selection);
      if (!anything(row.sums)) continue;
      if (with_ages) add_ages(site, row);
      report_site(site, row);
    }
    std::ranges::sort(report_.sites, [this](const SiteReport& a, const SiteReport& b) { return before(sort_, a, b); });
  }

  // Of the sites that come first, whose curves may be drawn.
  void report_curves(const Selection& selection) {
    for (std::uint64_t moment_ns : figures_.moments_ns) report_.moments_ns.push_back(moment_ns - std::min(moment_ns, recording_.start_ns()));
    for (std::size_t i = 0; i < std::min(report_.sites.size(), filter_.curves); ++i) {
      std::vector<double>& curve = report_.sites[i].live_at;
      for (const std::vector<double>& live : figures_.live_at) {
        double sum = 0;
        for (std::uint32_t series : sites_.series_of(report_.sites[i].site))
          if (selection.chosen[series]) sum += live[series];
        curve.push_back(sum);
      }
    }
  }

  // Of one process, or where all have ended, what it had at its end is what it retained. Beside others that go on, it is gone.
  std::uint64_t gone_with(ProcessSlot process) const {
    if (programs_.members_of(programs_.lead_of(process)).size() < 2) return 0;
    std::uint64_t end_ns = recording_.processes[process].end_ns;
    return any_runs_ && end_ns <= figures_.range.end_ns ? end_ns : 0;
  }

  SummedRow add_up(std::size_t site, const Selection& selection) {
    SummedRow row;
    bool left_out = false;
    for (std::uint32_t i : sites_.series_of(site)) {
      if (!selection.in_scope[i] || !anything(figures_.by_series[i])) continue;
      ProcessSlot process = memory_of(recording_).series[i].process;
      std::uint64_t gone_ns = gone_with(process);
      totals_[account_of(i)].add(figures_, i, gone_ns);
      bool one_of_several = programs_.members_of(account_of(i).first).size() > 1;
      if (one_of_several) by_process_[account_of(i)][process].add(figures_, i, gone_ns);
      if (selection.chosen[i]) {
        row.add(figures_, i, gone_ns);
        if (one_of_several) row.by_process[process].add(figures_, i, gone_ns);
      } else {
        left_out_[account_of(i)].add(figures_, i, gone_ns);
        left_out = true;
      }
    }
    report_.sites_left_out += left_out ? 1 : 0;
    return row;
  }

  // At the end of a recording the heaps were walked: no call site retains more than all of them hold.
  void limit_estimates(const TickRange& range) {
    if (memory_of(recording_).windows.ticks.empty() || range.last != memory_of(recording_).ticks.size()) return;
    auto limit = [&](MemoryFigures& figures, ProcessSlot lead, MemoryKind kind) {
      if (!figures.estimated || kind != MemoryKind::kHeap) return;
      double most = 0;
      for (ProcessSlot process : programs_.members_of(lead)) {
        const std::vector<MemoryUsage>& known = memory_of(recording_).processes;
        if (gone_with(process)) continue;
        if (process >= known.size() || known[process].last.time_ns == 0 || known[process].last.live_bytes == 0) return;
        most += static_cast<double>(known[process].last.live_bytes);
      }
      figures.retained_bytes = std::min(figures.retained_bytes, most);
      figures.retained_low = std::min(figures.retained_low, most);
      figures.retained_high = std::min(figures.retained_high, most);
    };
    for (SiteReport& site : report_.sites) limit(site.figures, site.process, site.kind);
    for (KindReport& total : report_.totals) {
      limit(total.figures, total.process, total.kind);
      total.unnamed_growth = unnamed_growth(total);
      if (total.figures.estimated && total.kind == MemoryKind::kHeap)
        for (const memory::windows::UnnamedRow& row : memory_of(recording_).windows.retained.unnamed)
          if (programs_.lead_of(row.process) == total.process && row.usable) add_unnamed(total.unnamed_sizes, row);
    }
  }

  // The largest first.
  static void add_unnamed(std::vector<UnnamedSize>& sizes, const memory::windows::UnnamedRow& row) {
    auto same = std::ranges::find(sizes, row.usable, &UnnamedSize::usable);
    if (same == sizes.end()) same = sizes.insert(sizes.end(), {row.usable, 0});
    same->bytes += row.bytes;
    std::ranges::stable_sort(sizes, std::greater<>(), &UnnamedSize::bytes);
  }

  // Kinds of blocks were counted where the heap was walked for that; else only the sum is known.
  double unnamed_growth(const KindReport& total) const {
    const std::vector<MemoryUsage>& known = memory_of(recording_).processes;
    if (!total.figures.estimated || total.kind != MemoryKind::kHeap) return 0;
    const memory::windows::RetainedSet& retained = memory_of(recording_).windows.retained;
    double sum = 0;
    for (ProcessSlot process : programs_.members_of(total.process)) {
      if (std::ranges::count(retained.walked, process)) {
        for (const memory::windows::UnnamedRow& row : retained.unnamed) sum += row.process == process ? row.bytes : 0;
        continue;
      }
      if (process >= known.size() || !known[process].first.walked || !known[process].last.walked) continue;
      auto share = std::ranges::find(total.shares, process, &ProcessShare::process);
      if (share == total.shares.end() && !total.shares.empty()) continue;
      double explained = total.shares.empty() ? total.figures.retained_high : share->figures.retained_high;
      sum += static_cast<double>(known[process].last.live_bytes) - static_cast<double>(known[process].first.live_bytes) - explained;
    }
    return sum;
  }

  Account account_of(std::uint32_t series) const {
    const Series& one = memory_of(recording_).series[series];
    return {programs_.lead_of(one.process), one.kind};
  }

  std::vector<ProcessShare> shares_of(const std::map<ProcessSlot, Row>& by_process) const {
    std::vector<ProcessShare> shares;
    if (by_process.size() < 2) return shares;
    for (const auto& [process, row] : by_process) {
      shares.push_back({process, figures_from(recording_, row.sums), pattern(row).shape});
      shares.back().figures.growth_per_minute = growth(row);
    }
    return shares;
  }

  // Which live blocks each site has.
  void sort_blocks(const Selection& selection) {
    auto counts = [&](const LiveBlock& block) {
      return selection.chosen[block.series] && !block.part && (!filter_.thread || block.tid == *filter_.thread);
    };
    const std::vector<LiveBlock>& blocks = memory_of(recording_).live.blocks;
    block_begins_.assign(sites_.size() + 1, 0);
    for (const LiveBlock& block : blocks)
      if (counts(block)) ++block_begins_[sites_.site_of(block.series) + 1];
    for (std::size_t site = 0; site < sites_.size(); ++site) block_begins_[site + 1] += block_begins_[site];
    blocks_by_site_.resize(block_begins_.back());
    std::vector<std::uint32_t> next(block_begins_.begin(), block_begins_.end() - 1);
    for (std::uint32_t i = 0; i < blocks.size(); ++i) {
      const LiveBlock& block = blocks[i];
      if (counts(block)) blocks_by_site_[next[sites_.site_of(block.series)]++] = i;
    }
  }

  void add_ages(std::size_t site, Row& row) const {
    const std::vector<LiveBlock>& blocks = memory_of(recording_).live.blocks;
    for (std::uint32_t at = block_begins_[site]; at < block_begins_[site + 1]; ++at) {
      const LiveBlock& block = blocks[blocks_by_site_[at]];
      row.births.emplace_back(block.birth_ns, sum_of_block(recording_, block).block_units);
    }
  }

  std::uint64_t age(std::uint64_t birth_ns) const {
    return figures_.range.end_ns > birth_ns ? figures_.range.end_ns - birth_ns : 0;
  }

  void set_ages(SiteReport& site, Row& row) const {
    if (row.births.empty()) return;
    std::ranges::sort(row.births);
    site.oldest_age_ns = age(row.births.front().first);
    double half = 0;
    for (const auto& [birth, weight] : row.births) half += static_cast<double>(weight) / 2;
    for (const auto& [birth, weight] : row.births) {
      half -= static_cast<double>(weight);
      site.median_age_ns = age(birth);
      if (half <= 0) break;
    }
  }

  std::optional<double> growth(const Row& row) const {
    if (row.live_at.empty()) return std::nullopt;
    return slope_per_minute(figures_.moments_ns, row.live_at);
  }

  void report_site(std::size_t site, SummedRow& row) {
    SiteReport report;
    std::tie(report.process, report.kind) = account_of(sites_.series_of(site).front());
    report.figures = figures_from(recording_, row.sums);
    report.figures.growth_per_minute = growth(row);
    if (bytes_of(sort_, report) < static_cast<double>(filter_.min_bytes)) {
      Row& others = left_out_[Account(report.process, report.kind)];
      others.sums.add(row.sums);
      add_moments(others.live_at, row.live_at);
      ++report_.sites_left_out;
      return;
    }
    set_ages(report, row);
    report.shares = shares_of(row.by_process);
    if (figures_.range.last == memory_of(recording_).ticks.size()) report.holding = holding_of(recording_, sites_.series_of(site));
    if (report.holding) leaked_[Account(report.process, report.kind)] += report.holding->lost_share * report.figures.retained_bytes;
    report.stack = sites_.stack(site);
    report.incomplete = sites_.incomplete(site);
    report.folded = sites_.folded(site);
    report.stacks = static_cast<std::uint32_t>(sites_.series_of(site).size());
    report.site = static_cast<std::uint32_t>(site);
    report_.sites.push_back(std::move(report));
  }

  static void add_moments(std::vector<double>& to, const std::vector<double>& from) {
    to.resize(from.size());
    for (std::size_t i = 0; i < from.size(); ++i) to[i] += from[i];
  }

  // From the moment that the range begins, so that its first fifth counts too.
  GrowthPattern pattern(const Row& row) const {
    if (row.live_at.empty() || !can_tell_growth(figures_.moments_ns)) return {};
    std::vector<std::uint64_t> times_ns{figures_.range.start_ns};
    std::vector<double> live{row.sums.before.bytes()};
    times_ns.insert(times_ns.end(), figures_.moments_ns.begin(), figures_.moments_ns.end());
    live.insert(live.end(), row.live_at.begin(), row.live_at.end());
    return growth_pattern(times_ns, live);
  }

  KindReport kind_report(Account account, const Row& row) const {
    KindReport report;
    report.process = account.first;
    report.kind = account.second;
    report.figures = figures_from(recording_, row.sums);
    report.figures.growth_per_minute = growth(row);
    report.growth = pattern(row);
    return report;
  }

  void report_totals() {
    for (const auto& [account, row] : totals_) {
      KindReport report = kind_report(account, row);
      report.shares = shares_of(by_process_[account]);
      for (const AccountPeak& peak : figures_.peaks) {
        if (peak.process == account.first && peak.kind == account.second)
          report.peak_time_ns = peak.time_ns > recording_.start_ns() ? peak.time_ns - recording_.start_ns() : 0;
      }
      report.older = older_frees(report, report_, programs_.members_of(account.first));
      if (report.older) report.growth = {};
      report.leaked_bytes = leaked_[account];
      bool is_whole = report_.from_ns == 0 && report_.to_ns == report_.duration_ns && !report_.thread;
      if (report.figures.estimated && report.kind == MemoryKind::kHeap && is_whole)
        report.counted = counted_change(report_, programs_.members_of(account.first));
      report_.totals.push_back(std::move(report));
    }
    for (const auto& [account, row] : left_out_) report_.left_out.push_back(kind_report(account, row));
  }

  // A rate of what stays is no growth where as much of what was there before went away.
  void forget_growth_of_older() {
    for (KindReport& total : report_.totals) {
      if (!total.older || (total.older->live_change && !total.older->level)) continue;
      total.figures.growth_per_minute.reset();
      for (SiteReport& site : report_.sites)
        if (site.kind == total.kind && site.process == total.process) site.figures.growth_per_minute.reset();
    }
  }

  void report_recording(const TickRange& range) {
    auto since_start = [&](std::uint64_t time) { return time > recording_.start_ns() ? time - recording_.start_ns() : 0; };
    report_.info = recording_.info;
    report_.processes = recording_.processes;
    for (std::size_t i = 0; i < recording_.processes.size(); ++i) report_.leads.push_back(programs_.lead_of(static_cast<ProcessSlot>(i)));
    report_.from_ns = since_start(range.start_ns);
    report_.to_ns = since_start(range.end_ns);
    report_.duration_ns = since_start(recording_.end_ns());
    report_.thread = filter_.thread;
    report_.unseen = recording_.unseen;
    report_.notes = notes_of(recording_, range);
    std::ranges::move(holding_notes(recording_), std::back_inserter(report_.notes));
    if (filter_.thread) report_.notes.push_back("of a single thread only what is retained is known");
    report_.ended = recording_.ended;
    report_.end_reason = recording_.end.reason;
    for (std::size_t i = range.first; i < range.last; ++i) report_.events += static_cast<double>(memory_of(recording_).ticks[i].events);
    report_.surprises = surprises_in(recording_, range);
    if (!filter_.thread) report_.balances = process_balances(recording_, range);
    report_.losses = losses_of(recording_, range, mean_freed_size());
    if (recording_.children) report_.children = children_of(*recording_.children);
    report_.sort = sort_;
    if (!recording_.costs.empty()) report_cost(recording_.costs.back());
  }

  double mean_freed_size() const {
    double bytes = 0, blocks = 0;
    for (const auto& [account, row] : totals_) {
      bytes += row.sums.freed.bytes();
      blocks += blocks_of(recording_, row.sums.freed.block_units);
    }
    return blocks > 0 ? bytes / blocks : 0;
  }

  void report_cost(const CostSample& cost) {
    CostReport report;
    report.probe_hits = cost.probe_hits;
    report.trap_ns = cost.trap_ns;
    report.bpf_ns = known_time(cost.bpf_ns);
    report.target_cpu_ns = cost.target_cpu_ns;
    report.dwell_cpu_ns = cost.dwell_cpu_ns;
    // Both parts are hits times a price: what comes out above the whole is no time that ever was.
    report.trap_ns = std::min(report.trap_ns, cost.target_cpu_ns);
    if (report.bpf_ns) report.bpf_ns = std::min(*report.bpf_ns, cost.target_cpu_ns - report.trap_ns);
    std::uint64_t of_parts = 0;  // which may be known where the whole is not
    for (const CostPart& part : recording_.cost_parts) of_parts += part.ns;
    double ours = static_cast<double>(std::max(report.trap_ns + report.bpf_ns.value_or(0), std::min(of_parts, cost.target_cpu_ns)));
    if (cost.target_cpu_ns > 0) report.target_cpu_percent = 100 * ours / static_cast<double>(cost.target_cpu_ns);
    if (report_.duration_ns > 0 && cost.target_cpu_ns < report_.duration_ns / 4)
      report.one_cpu_percent = 100 * ours / static_cast<double>(report_.duration_ns);
    for (const CostPart& part : recording_.cost_parts) {
      report.parts.push_back({part.name, part.ns, std::nullopt});
      if (cost.target_cpu_ns > 0)
        report.parts.back().target_cpu_percent = std::min(100 * static_cast<double>(part.ns) / static_cast<double>(cost.target_cpu_ns), 100.0);
    }
    std::ranges::stable_sort(report.parts, std::greater<>(), &CostPartReport::ns);
    for (const CostSample& moment : recording_.costs)
      report.course.push_back({moment.time_ns, moment.probes_ns(), moment.target_cpu_ns});
    report_.cost = report;
  }

  void report_stacks(const Selection& selection) {
    double all = 0, complete = 0;
    std::map<std::string, double> incomplete;
    std::vector<bool> used(recording_.locations.size());
    for (std::size_t i = 0; i < memory_of(recording_).series.size(); ++i) {
      double allocations = blocks_of(recording_, figures_.by_series[i].allocated.block_units);
      if (!selection.in_scope[i] || allocations <= 0) continue;
      const CallStack& stack = recording_.stacks[static_cast<std::size_t>(memory_of(recording_).series[i].stack)];
      std::string because = stack.locations.empty() ? "no stack" : incomplete_because(stack.end);
      all += allocations;
      (because.empty() ? complete : incomplete[because]) += allocations;
      for (std::uint32_t location : stack.locations) used[location] = true;
    }
    StackQuality& quality = report_.stacks;
    quality.allocations = all;
    quality.complete_share = all > 0 ? complete / all : 1;
    quality.incomplete.assign(incomplete.begin(), incomplete.end());
    quality.unnamed_share = unnamed_share(used);
  }

  double unnamed_share(const std::vector<bool>& used) const {
    double all = 0, without_name = 0;
    for (std::uint32_t i = 0; i < used.size(); ++i) {
      if (!used[i]) continue;
      ++all;
      without_name += texts_.frames(i).front().named ? 0 : 1;
    }
    return all > 0 ? without_name / all : 0;
  }

  const Recording& recording_;
  const MemoryFilter& filter_;
  SortKey sort_;
  const FrameTexts& texts_;
  bool any_runs_ = std::ranges::any_of(recording_.processes, [](const ProcessInfo& one) { return one.end_ns == 0; });
  ProgramGroups programs_;
  SiteTable sites_;
  RangeFigures figures_;
  std::map<Account, Row> totals_, left_out_;
  std::map<Account, std::map<ProcessSlot, Row>> by_process_;  // of totals that add up several
  std::map<Account, double> leaked_;
  std::vector<std::uint32_t> blocks_by_site_, block_begins_;
  MemoryReport report_;
};

}  // namespace

Result<MemoryReport> memory_report(RecordingRef recording, const MemoryFilter& filter, SortKey sort, GroupBy group) {
  return ReportBuilder(recording, filter, sort, group, std::make_shared<FrameTexts>(recording)).build();
}

}  // namespace dwell
