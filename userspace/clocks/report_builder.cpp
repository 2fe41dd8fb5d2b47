// SPDX-License-Identifier: Apache-2.0
#include "userspace/clocks/report_builder.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "userspace/base/files.h"
#include "userspace/clocks/clock_names.h"

namespace dwell {
namespace {

constexpr double kSecond = 1e9;
constexpr std::uint64_t kEnoughSamples = 50;  // to know a rate to about a seventh
constexpr double kReadCostError = 0.05;  // of what a read costs here, against what it costs in the target

// Samples of the vDSO by where they came from.
struct VdsoSamples {
  std::uint64_t probed = 0;  // through a function that has a probe
  std::map<std::uint64_t, std::uint64_t> by_stack, direct;
};

bool in(const std::vector<CodeSpan>& spans, std::uint64_t pc) {
  return std::any_of(spans.begin(), spans.end(),
                     [&](const CodeSpan& s) { return pc > s.start && pc <= s.end; });
}

// What called the vDSO: the first frame outside of it.
std::uint64_t caller_of_vdso(const StackBook& book, std::uint64_t stack, const dwell_vdso_range& vdso) {
  for (std::uint64_t pc : book.pcs(stack))
    if (pc < vdso.start || pc >= vdso.end) return pc;
  return 0;
}

// The calls that probes have counted, by their return address. Through a probed stub a call goes straight on
// to the vDSO, and comes back there.
std::set<std::uint64_t> counted_calls(const std::map<ReadSite, ReadFigures>& figures, const StackBook& book) {
  std::set<std::uint64_t> calls;
  for (const auto& [site, ignored] : figures)
    if (auto pcs = book.pcs(site.stack); !pcs.empty()) calls.insert(pcs.front());
  return calls;
}

VdsoSamples sort_samples(const ClockCounts& counts, const std::map<ReadSite, ReadFigures>& figures,
                         const StackBook& book, const std::vector<CodeSpan>& probed,
                         const dwell_vdso_range& vdso) {
  VdsoSamples sorted;
  std::set<std::uint64_t> counted = counted_calls(figures, book);
  for (const auto& [key, count] : counts.reads) {
    if (key.call != DWELL_CALL_VDSO) continue;
    sorted.by_stack[key.stack] += count;
    std::uint64_t caller = caller_of_vdso(book, key.stack, vdso);
    if (in(probed, caller) || counted.contains(caller))
      sorted.probed += count;
    else
      sorted.direct[key.stack] += count;
  }
  return sorted;
}

// Samples tell how often a thread reads that a probe would slow down: the time in the vDSO over what a read
// costs.
void correct_by_samples(ReadRates& rates, const ClockCounts& counts, std::uint64_t samples,
                        double unwatched_ns, double cold_per_second, double read_ns) {
  if (samples < kEnoughSamples || unwatched_ns <= 0 || read_ns <= 0 || rates.slowed_per_second() <= 0) return;
  double per_second =
      static_cast<double>(samples * counts.sample_period_ns) / read_ns / unwatched_ns * kSecond;
  double factor = (per_second - cold_per_second) / rates.slowed_per_second();
  if (factor <= 0) return;
  rates.correct_slowed(factor, std::hypot(1 / std::sqrt(static_cast<double>(samples)), kReadCostError));
}

std::string thread_name(std::uint32_t pid, std::uint32_t tid) {
  Result<std::string> name = read_file(fmt::format("/proc/{}/task/{}/comm", pid, tid));
  if (!name) return "";
  while (!name->empty() && name->back() == '\n') name->pop_back();
  return *name;
}

TimeHistogram histogram(const __u64 (&buckets)[DWELL_TIME_BUCKETS]) {
  TimeHistogram result{};
  std::copy(std::begin(buckets), std::end(buckets), result.begin());
  return result;
}

using Names = std::map<std::uint64_t, NamedStack>;

Names name_all(const ClockCounts& counts, const std::map<ReadSite, ReadFigures>& figures,
               const VdsoSamples& samples, const StackBook& book) {
  std::vector<std::uint64_t> stacks;
  for (const auto& [site, ignored] : figures) stacks.push_back(site.stack);
  for (const auto& [stack, ignored] : samples.direct) stacks.push_back(stack);
  for (const auto& [key, ignored] : counts.waits) stacks.push_back(key.stack);
  for (const auto& [tid, wait] : counts.open_waits) stacks.push_back(wait.key.stack);
  for (const auto& [key, ignored] : counts.pairs) {
    stacks.push_back(key.first);
    stacks.push_back(key.second);
  }
  return book.name(stacks);
}

void add_reads(ClocksReport& report, const ClockCounts& counts,
               const std::map<ReadSite, ReadFigures>& figures, const VdsoSamples& samples,
               double unwatched_ns, const Names& names) {
  double all = static_cast<double>(std::max<std::uint64_t>(counts.samples.all, 1));
  for (const auto& [site, f] : figures) {
    const NamedStack& named = names.at(site.stack);
    ClockReadSite& read = report.reads.emplace_back();
    read.call = clock_call_name(site.call);
    read.clock = clock_name(site.clock);
    read.wall = is_wall_clock(site.clock);
    read.coarse = is_coarse_clock(site.clock) || site.call == DWELL_CALL_TIME;
    read.stack = named.frames;
    read.incomplete = named.incomplete;
    read.counted = f.counted;
    read.per_second = f.per_second;
    read.error = f.error;
    double ns = read.coarse ? counts.vdso_coarse_ns : counts.vdso_read_ns;
    if (counts.samples.all >= kEnoughSamples) {
      double cpu_per_second =
          all * static_cast<double>(counts.sample_period_ns) / std::max(unwatched_ns, 1.0);
      read.cpu_percent = cpu_per_second > 0 ? 100 * f.per_second * ns / kSecond / cpu_per_second : 0;
    }
    report.reads_per_second += f.per_second;
    report.reads_error = std::hypot(report.reads_error, f.error);
  }
  for (const auto& [stack, count] : samples.direct) {
    const NamedStack& named = names.at(stack);
    ClockReadSite& read = report.reads.emplace_back();
    double n = static_cast<double>(count);
    read.call = clock_call_name(DWELL_CALL_VDSO);
    read.clock = clock_name(DWELL_CLOCK_UNKNOWN);
    read.stack = named.frames;
    read.incomplete = named.incomplete;
    read.counted = count;
    read.sampled = true;
    read.per_second = n * static_cast<double>(counts.sample_period_ns) / counts.vdso_read_ns /
                      std::max(unwatched_ns, 1.0) * kSecond;
    read.error = read.per_second * std::hypot(1 / std::sqrt(n), kReadCostError);
    read.cpu_percent = 100 * n / all;
    report.reads_per_second += read.per_second;
    report.reads_error = std::hypot(report.reads_error, read.error);
  }
  std::sort(report.reads.begin(), report.reads.end(),
            [](const ClockReadSite& a, const ClockReadSite& b) { return a.per_second > b.per_second; });
}

void add_waits(ClocksReport& report, const ClockCounts& counts, const Names& names) {
  std::map<std::string, ClockWaitSite> sites;
  auto site_of = [&](const dwell_wait_key& key) -> ClockWaitSite& {
    ClockWaitSite& site = sites[std::string(reinterpret_cast<const char*>(&key), sizeof key)];
    if (site.call.empty()) {
      const NamedStack& named = names.at(key.stack);
      site.call = clock_call_name(key.call);
      site.clock = clock_name(key.clock);
      site.kind = name_of(kind_of_call(key.call));
      site.absolute = key.absolute;
      site.wall = is_wall_clock(key.clock);
      site.stack = named.frames;
      site.incomplete = named.incomplete;
    }
    return site;
  };
  for (const auto& [key, stats] : counts.waits) {
    ClockWaitSite& site = site_of(key);
    site.count = stats.count;
    site.timed_out = stats.timed_out;
    site.spanned_step = stats.spanned_step;
    site.asked_ns = stats.asked_ns;
    site.got_ns = stats.got_ns;
    site.over_ns = stats.over_ns;
    site.max_over_ns = stats.max_over_ns;
    site.max_over_asked_ns = stats.max_over_asked_ns;
    site.max_over_tid = stats.max_over_tid;
    if (stats.max_over_tid) site.max_over_thread = thread_name(report.pid, stats.max_over_tid);
    site.over = histogram(stats.over);
  }
  for (const auto& [tid, wait] : counts.open_waits) {
    if (kind_of_call(wait.key.call) == CallKind::kTimer || wait.stopped) continue;
    ClockWaitSite& site = site_of(wait.key);
    ++site.under_way;
    std::uint64_t waited = counts.now_ns > wait.start_ns ? counts.now_ns - wait.start_ns : 0;
    if (waited > wait.asked_ns)
      site.under_way_over_ns = std::max<std::uint64_t>(site.under_way_over_ns, waited - wait.asked_ns);
  }
  for (auto& [key, site] : sites) report.waits.push_back(std::move(site));
  std::sort(report.waits.begin(), report.waits.end(), [](const ClockWaitSite& a, const ClockWaitSite& b) {
    return a.count + a.under_way > b.count + b.under_way;
  });
}

void add_intervals(ClocksReport& report, const ClockCounts& counts, const Names& names) {
  for (const auto& [key, stats] : counts.pairs) {
    ClockInterval& interval = report.intervals.emplace_back();
    interval.first = names.at(key.first).frames;
    interval.second = names.at(key.second).frames;
    interval.count = stats.count;
    interval.total_ns = stats.total_ns;
    interval.max_ns = stats.max_ns;
    interval.spanned_step = stats.spanned_step;
    interval.spanned_by_ns = stats.spanned_by_ns;
    interval.lengths = histogram(stats.lengths);
  }
  std::sort(report.intervals.begin(), report.intervals.end(),
            [](const ClockInterval& a, const ClockInterval& b) { return a.count > b.count; });
}

}  // namespace

void add_counts(ClocksReport& report, const ClockCounts& counts, const StackBook& book,
                const std::vector<CodeSpan>& probed, const dwell_vdso_range& vdso) {
  ReadRates rates = counts.watch.rates;
  double unwatched_ns = static_cast<double>(counts.watch.elapsed_ns -
                                            std::min(counts.watch.watched_ns, counts.watch.elapsed_ns));
  auto first = rates.figures(counts.watch.elapsed_ns);
  VdsoSamples samples = sort_samples(counts, first, book, probed, vdso);
  double all = 0, coarse = 0;
  for (const auto& [site, f] : first) {
    all += f.per_second;
    if (is_coarse_clock(site.clock) || site.call == DWELL_CALL_TIME) coarse += f.per_second;
  }
  double coarse_share = all > 0 ? coarse / all : 0;
  double read_ns = coarse_share * counts.vdso_coarse_ns + (1 - coarse_share) * counts.vdso_read_ns;
  correct_by_samples(rates, counts, samples.probed, unwatched_ns, all - rates.slowed_per_second(), read_ns);

  auto figures = rates.figures(counts.watch.elapsed_ns);
  Names names = name_all(counts, figures, samples, book);
  add_reads(report, counts, figures, samples, unwatched_ns, names);
  add_waits(report, counts, names);
  add_intervals(report, counts, names);

  const ReadWatchState& watch = counts.watch;
  double elapsed = static_cast<double>(std::max<std::uint64_t>(watch.elapsed_ns, 1));
  report.seconds = elapsed / kSecond;
  report.watched_share = static_cast<double>(watch.watched_ns) / elapsed;
  report.windows = watch.windows;
  report.probe_hits = watch.hits;
  report.trap_ns = watch.trap_ns;
  report.bpf_ns = watch.bpf_ns;
  report.samples = counts.samples.all;
  report.samples_in_vdso = counts.samples.in_vdso;
}

}  // namespace dwell
