// SPDX-License-Identifier: Apache-2.0
#include "userspace/clocks/gather.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "userspace/base/files.h"
#include "userspace/clocks/names.h"

namespace dwell {
namespace {

constexpr double kSecondNs = 1e9;
constexpr std::uint64_t kEnoughSamplesOfASite = 50;  // to know a rate to about a seventh
constexpr std::uint64_t kFewestSamples = 5;   // to speak of a site
constexpr double kReadCostError = 0.05;  // of what a read costs here, against what it costs in the target

// Samples of the vDSO by where they came from.
struct VdsoSamples {
  std::uint64_t probed = 0;  // through a function that has a probe
  std::map<std::pair<std::uint64_t, ProcessSlot>, std::uint64_t> direct;
};

// A stub leaves no frame: what comes from it returns to where a read returns that its probe has counted.
VdsoSamples sort_samples(const ClockCounts& counts, const std::map<ReadSite, ReadFigures>& figures,
                         const ClockStacks& stacks) {
  VdsoSamples sorted;
  std::set<std::uint64_t> probed;
  auto caller = [&](std::uint64_t stack) {
    std::vector<std::uint64_t> frames = stacks.frames(stack);
    return frames.empty() ? 0 : frames.front();
  };
  for (const auto& [site, ignored] : figures) probed.insert(caller(site.stack));
  for (const auto& [key, count] : counts.reads) {
    if (key.call != DWELL_CALL_VDSO) continue;
    if (stacks.through_probe(key.stack) || probed.contains(caller(key.stack)))
      sorted.probed += count;
    else
      sorted.direct[{key.stack, key.process}] += count;
  }
  return sorted;
}

// Samples tell how often a thread reads that a probe would slow down: the time in the vDSO over what a read
// costs.
void correct_by_samples(ReadRates& rates, const ClockCounts& counts, std::uint64_t samples,
                        double unwatched_ns, double cold_per_second, double read_ns) {
  if (samples < kEnoughSamplesOfASite || unwatched_ns <= 0 || read_ns <= 0 || rates.slowed_per_second() <= 0) return;
  double per_second =
      static_cast<double>(samples * counts.sample_period_ns) / read_ns / unwatched_ns * kSecondNs;
  double factor = (per_second - cold_per_second) / rates.slowed_per_second();
  if (factor <= 0) return;
  rates.correct_slowed(factor, std::hypot(1 / std::sqrt(static_cast<double>(samples)), kReadCostError));
}

bool is_coarse_read(const ReadSite& site) {
  return is_coarse_clock(site.clock) || site.call == DWELL_CALL_TIME;
}

std::string thread_name(pid_t pid, std::uint32_t tid) {
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

void add_reads(ClockLook& look, const ClockCounts& counts, const std::map<ReadSite, ReadFigures>& figures,
               const VdsoSamples& samples, double unwatched_ns, const ClockStacks& stacks) {
  double all = static_cast<double>(std::max<std::uint64_t>(counts.samples.all, 1));
  double period = static_cast<double>(counts.sample_period_ns);
  double cpu_share = unwatched_ns > 0 ? all * period / unwatched_ns : 0;  // CPUs in use
  for (const auto& [site, f] : figures) {
    ClockReadFacts& read = look.reads.emplace_back();
    read.stack = stacks.id_of(site.stack);
    read.process = site.process;
    read.call = site.call;
    read.clock = site.clock;
    read.counted = f.counted;
    read.per_second = f.per_second;
    read.error = f.error;
    double ns = is_coarse_read(site) ? counts.vdso_coarse_ns : counts.vdso_read_ns;
    if (counts.samples.all >= kEnoughSamplesOfASite && cpu_share > 0)
      read.cpu_percent = 100 * f.per_second * ns / kSecondNs / cpu_share;
  }
  for (const auto& [where, count] : samples.direct) {
    if (count < kFewestSamples) continue;  // of all the samples in the vDSO they are still a part
    ClockReadFacts& read = look.reads.emplace_back();
    double n = static_cast<double>(count);
    read.stack = stacks.id_of(where.first);
    read.process = where.second;
    read.call = DWELL_CALL_VDSO;
    read.clock = DWELL_CLOCK_UNKNOWN;
    read.counted = count;
    read.sampled = true;
    read.per_second = n * period / counts.vdso_read_ns / std::max(unwatched_ns, 1.0) * kSecondNs;
    read.error = read.per_second * std::hypot(1 / std::sqrt(n), kReadCostError);
    read.cpu_percent = 100 * n / all;
  }
}

pid_t pid_of(const ClockCounts& counts, ProcessSlot slot) {
  for (const auto& [known, pid] : counts.processes)
    if (known == slot) return pid;
  return 0;
}

void add_waits(ClockLook& look, const ClockCounts& counts, const ClockStacks& stacks) {
  std::map<std::string, ClockWaitFacts> sites;
  auto site_of = [&](const dwell_wait_key& key) -> ClockWaitFacts& {
    ClockWaitFacts& site = sites[std::string(reinterpret_cast<const char*>(&key), sizeof key)];
    site.stack = stacks.id_of(key.stack);
    site.process = key.process;
    site.call = key.call;
    site.clock = key.clock;
    site.absolute = key.absolute;
    return site;
  };
  for (const auto& [key, stats] : counts.waits) {
    ClockWaitFacts& site = site_of(key);
    site.count = stats.count;
    site.timed_out = stats.timed_out;
    site.spanned_step = stats.spanned_step;
    site.asked_ns = stats.asked_ns;
    site.got_ns = stats.got_ns;
    site.over_ns = stats.over_ns;
    site.max_over_ns = stats.max_over_ns;
    site.max_over_asked_ns = stats.max_over_asked_ns;
    site.max_over_tid = stats.max_over_tid;
    if (stats.max_over_tid)
      site.max_over_thread = thread_name(pid_of(counts, key.process), stats.max_over_tid);
    site.over = histogram(stats.over);
  }
  for (const auto& [tid, wait] : counts.open_waits) {
    if (kind_of_call(wait.key.call) == CallKind::kTimer || wait.stopped) continue;
    ClockWaitFacts& site = site_of(wait.key);
    ++site.under_way;
    std::uint64_t waited = counts.now_ns > wait.start_ns ? counts.now_ns - wait.start_ns : 0;
    if (waited > wait.asked_ns)
      site.under_way_over_ns = std::max<std::uint64_t>(site.under_way_over_ns, waited - wait.asked_ns);
  }
  for (auto& [key, site] : sites) look.waits.push_back(std::move(site));
}

void add_intervals(ClockLook& look, const ClockCounts& counts, const ClockStacks& stacks) {
  for (const auto& [key, stats] : counts.pairs) {
    ClockIntervalFacts& interval = look.intervals.emplace_back();
    interval.first = stacks.id_of(key.first);
    interval.second = stacks.id_of(key.second);
    interval.process = static_cast<ProcessSlot>(key.process);
    interval.count = stats.count;
    interval.total_ns = stats.total_ns;
    interval.max_ns = stats.max_ns;
    interval.spanned_step = stats.spanned_step;
    interval.spanned_by_ns = stats.spanned_by_ns;
    interval.lengths = histogram(stats.lengths);
  }
}

}  // namespace

ClockLook gather_clocks(const ClockCounts& counts, const ClockStacks& stacks) {
  ClockLook look;
  const ReadWatchState& watch = counts.watch;
  ReadRates rates = watch.rates;
  double unwatched_ns = static_cast<double>(watch.elapsed_ns - std::min(watch.watched_ns, watch.elapsed_ns));
  double all = 0, coarse = 0;
  auto first = rates.figures(watch.elapsed_ns);
  VdsoSamples samples = sort_samples(counts, first, stacks);
  for (const auto& [site, f] : first) {
    all += f.per_second;
    if (is_coarse_read(site)) coarse += f.per_second;
  }
  double coarse_share = all > 0 ? coarse / all : 0;
  double read_ns = coarse_share * counts.vdso_coarse_ns + (1 - coarse_share) * counts.vdso_read_ns;
  correct_by_samples(rates, counts, samples.probed, unwatched_ns, all - rates.slowed_per_second(), read_ns);

  add_reads(look, counts, rates.figures(watch.elapsed_ns), samples, unwatched_ns, stacks);
  add_waits(look, counts, stacks);
  add_intervals(look, counts, stacks);
  look.duration_ns = watch.elapsed_ns;
  look.time_ns = counts.now_ns - std::min(counts.now_ns, watch.elapsed_ns);
  look.watched_ns = std::min(watch.watched_ns, watch.elapsed_ns);
  look.windows = watch.windows;
  look.probe_hits = watch.hits;
  look.trap_ns = static_cast<std::uint64_t>(watch.trap_ns);
  look.bpf_ns = stored_time(watch.bpf_ns);
  look.samples = counts.samples.all;
  look.samples_in_vdso = counts.samples.in_vdso;
  return look;
}

}  // namespace dwell
