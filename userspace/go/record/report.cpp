// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/record/report.h"
#include "userspace/go/record/look_report.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "userspace/go/findings/recorded.h"
#include "userspace/go/heap/profile.h"
#include "userspace/views/growth.h"
#include "userspace/go/part.h"

namespace dwell {
namespace {

// More points tell no more of a slope, and cost their square.
constexpr std::size_t kMostPoints = 120;

class Series {
 public:
  void add(std::uint64_t time_ns, double value) {
    times_.push_back(time_ns);
    values_.push_back(value);
  }
  std::optional<double> per_minute() const {
    std::size_t step = (times_.size() + kMostPoints - 1) / kMostPoints;
    std::vector<std::uint64_t> times;
    std::vector<double> values;
    for (std::size_t i = 0; i < times_.size(); i += step) {
      times.push_back(times_[i]);
      values.push_back(values_[i]);
    }
    return slope_per_minute(times, values);
  }
  const std::vector<double>& values() const { return values_; }
  std::uint64_t span_ns() const { return times_.empty() ? 0 : times_.back() - times_.front(); }

 private:
  std::vector<std::uint64_t> times_;
  std::vector<double> values_;
};

// What leaks has few steps back, ends near its most, and grows by more than what comes and goes.
bool grows(const Series& series, const GoTrend& trend) {
  constexpr double kFewest = 5, kLeastShare = 0.1, kMostBack = 0.2, kNearMost = 0.95;
  if (!trend.per_minute || *trend.per_minute <= 0) return false;
  double grown = *trend.per_minute * static_cast<double>(series.span_ns()) / 60e9;
  std::size_t back = 0;
  for (std::size_t i = 1; i < series.values().size(); ++i)
    back += series.values()[i] < series.values()[i - 1];
  return grown >= std::max(kFewest, kLeastShare * static_cast<double>(trend.first)) &&
         static_cast<double>(trend.last) >= kNearMost * static_cast<double>(trend.most) &&
         static_cast<double>(back) <= kMostBack * static_cast<double>(series.values().size());
}

// A recording may hold any figures.
std::uint64_t as_count(double value) { return static_cast<std::uint64_t>(std::clamp(value, 0.0, 1e18)); }

GoTrend trend_of(const Series& series) {
  GoTrend trend;
  if (series.values().empty()) return trend;
  auto [least, most] = std::minmax_element(series.values().begin(), series.values().end());
  trend.first = as_count(series.values().front());
  trend.last = as_count(series.values().back());
  trend.least = as_count(*least);
  trend.most = as_count(*most);
  trend.per_minute = series.per_minute();
  trend.grows = grows(series, trend);
  return trend;
}

// ---- goroutines by who started them ----

GoCall creator_of(const Recording& recording, const GoGroup& group) {
  std::vector<GoCall> calls = recorded_calls(recording, group.creator);
  return calls.empty() ? GoCall() : calls.front();
}

struct Creator {
  GoCreatorReport report;
  std::map<std::size_t, std::uint64_t> counts;  // by look
};

void add_group(const Recording& recording, const GoGroup& group, std::size_t look, bool first_of_look,
               Creator& creator) {
  GoCreatorReport& report = creator.report;
  creator.counts[look] += group.count;
  // What is told of them is of the last look that met any.
  if (first_of_look) {
    report.alike = report.stuck = report.abandoned = 0;
    report.longest_wait_ns.reset();
  }
  report.of_runtime = group.of_runtime;
  if (group.stuck) report.stuck += group.count;
  if (group.abandoned) report.abandoned += group.count;
  if (group.longest_wait_ns)
    report.longest_wait_ns = std::max(report.longest_wait_ns.value_or(0), *group.longest_wait_ns);
  if (group.count <= report.alike) return;
  report.alike = group.count;
  report.state = group.state;
  report.calls = recorded_calls(recording, group.stack);
}

std::vector<GoCreatorReport> creators_of(const Recording& recording,
                                         const std::vector<const GoLook*>& looks) {
  std::map<std::string, Creator> creators;
  for (std::size_t i = 0; i < looks.size(); ++i) {
    for (const GoGroup& group : looks[i]->groups) {
      GoCall call = creator_of(recording, group);
      Creator& creator = creators[go_site_key({call}) + (group.of_runtime ? "r" : "")];
      creator.report.creator = std::move(call);
      add_group(recording, group, i, !creator.counts.contains(i), creator);
    }
  }
  std::vector<GoCreatorReport> reports;
  for (auto& [key, creator] : creators) {
    Series series;
    for (std::size_t i = 0; i < looks.size(); ++i) {
      auto count = creator.counts.find(i);
      series.add(looks[i]->time_ns, count == creator.counts.end() ? 0 : static_cast<double>(count->second));
    }
    creator.report.count = trend_of(series);
    if (creator.report.count.last == 0) creator.report.stuck = creator.report.abandoned = 0;
    reports.push_back(std::move(creator.report));
  }
  std::stable_sort(reports.begin(), reports.end(), [](const GoCreatorReport& a, const GoCreatorReport& b) {
    auto rank = [](const GoCreatorReport& r) {
      return std::tuple(!r.of_runtime, r.stuck + r.abandoned, r.count.grows, r.count.grows ? *r.count.per_minute : 0,
                        r.count.last);
    };
    return rank(a) > rank(b);
  });
  return reports;
}

// ---- the heap ----

struct HeapSums {
  std::vector<GoCall> calls;
  Series in_use;
  GoEstimate last, before;  // in use at the last look, allocated until the first
  GoEstimate allocated;     // until the last
  double variance = 0, variance_allocated = 0;
};

double square_error(double bytes, std::int64_t samples, std::uint64_t rate) {
  return rate > 1 && samples > 0 ? bytes * bytes / static_cast<double>(samples) : 0;
}

HeapCounts allocated_by(const GoBucketRow& row) {
  return {row.values[0], row.values[1], row.values[2] + row.pending[0], row.values[3] + row.pending[1]};
}

// Of one bucket between two looks: the difference is estimated, not the sums, whose error is that of all
// before.
void add_allocated(const GoBucketRow* first, const GoBucketRow& last, std::uint64_t rate, HeapSums& site) {
  HeapCounts counts = allocated_by(last);
  if (first) {
    HeapCounts before = allocated_by(*first);
    counts.allocated_objects -= before.allocated_objects;
    counts.allocated_bytes -= before.allocated_bytes;
  }
  if (counts.allocated_objects <= 0) return;
  HeapCounts scaled = scale_heap_counts(counts, rate);
  site.allocated.bytes += static_cast<double>(scaled.allocated_bytes);
  site.allocated.objects += static_cast<double>(scaled.allocated_objects);
  site.variance_allocated +=
      square_error(static_cast<double>(scaled.allocated_bytes), counts.allocated_objects, rate);
}

void add_in_use(const GoBucketRow& row, std::uint64_t rate, HeapSums& site) {
  HeapCounts sampled{row.values[0], row.values[1], row.values[2], row.values[3]};
  HeapCounts scaled = scale_heap_counts(sampled, rate);
  site.last.bytes += static_cast<double>(scaled.in_use_bytes);
  site.last.objects += static_cast<double>(scaled.in_use_objects);
  site.variance += square_error(static_cast<double>(scaled.in_use_bytes), sampled.in_use_objects, rate);
}

double in_use_bytes(const GoBucketRow& row, std::uint64_t rate) {
  return static_cast<double>(
      scale_heap_counts({row.values[0], row.values[1], row.values[2], row.values[3]}, rate).in_use_bytes);
}

class HeapHistory {
 public:
  explicit HeapHistory(const Recording& recording) : recording_(recording) {}

  void add(const GoProfileLook& look) {
    for (const GoBucketRow& row : look.rows) now_[row.bucket] = row;
    if (times_.empty()) first_ = now_;
    times_.push_back(look.time_ns);
    rate_ = look.rate;
    std::map<std::uint32_t, double> sums;
    for (const auto& [bucket, row] : now_) sums[site_of(bucket)] += in_use_bytes(row, rate_);
    double total = 0;
    for (const auto& [site, bytes] : sums) {
      HeapSums& of = sites_[site];
      while (of.in_use.values().size() + 1 < times_.size())
        of.in_use.add(times_[of.in_use.values().size()], 0);
      of.in_use.add(look.time_ns, bytes);
      total += bytes;
    }
    total_.add(look.time_ns, total);
  }

  std::optional<GoHeapReport> report() {
    if (times_.empty()) return std::nullopt;
    for (const auto& [bucket, row] : now_) {
      auto first = first_.find(bucket);
      add_in_use(row, rate_, sites_[site_of(bucket)]);
      add_allocated(first == first_.end() ? nullptr : &first->second, row, rate_, sites_[site_of(bucket)]);
    }
    GoHeapReport report;
    report.rate = rate_;
    report.window_ns = times_.back() - times_.front();
    report.per_minute = total_.per_minute();
    double variance = 0, variance_allocated = 0;
    for (HeapSums& site : sites_) {
      GoHeapSiteReport& row = report.sites.emplace_back();
      row.calls = std::move(site.calls);
      row.in_use = {site.last.bytes, site.last.objects, std::sqrt(site.variance)};
      row.allocated = {site.allocated.bytes, site.allocated.objects, std::sqrt(site.variance_allocated)};
      row.per_minute = site.in_use.per_minute();
      report.in_use.bytes += row.in_use.bytes;
      report.in_use.objects += row.in_use.objects;
      report.allocated.bytes += row.allocated.bytes;
      report.allocated.objects += row.allocated.objects;
      variance += site.variance;
      variance_allocated += site.variance_allocated;
    }
    report.in_use.error = std::sqrt(variance);
    report.allocated.error = std::sqrt(variance_allocated);
    std::stable_sort(report.sites.begin(), report.sites.end(),
                     [](const GoHeapSiteReport& a, const GoHeapSiteReport& b) {
                       return std::tuple(a.in_use.bytes, a.allocated.bytes) >
                              std::tuple(b.in_use.bytes, b.allocated.bytes);
                     });
    return report;
  }

 private:
  // Buckets of one stack that differ in the size of their objects are one site.
  std::uint32_t site_of(std::uint32_t bucket) {
    auto [known, fresh] = site_of_.try_emplace(bucket);
    if (!fresh) return known->second;
    std::vector<GoCall> calls = recorded_calls(recording_, go_of(recording_).buckets[bucket].stack);
    auto [site, is_new] = by_key_.try_emplace(go_site_key(calls), static_cast<std::uint32_t>(sites_.size()));
    if (is_new) sites_.emplace_back().calls = std::move(calls);
    return known->second = site->second;
  }

  const Recording& recording_;
  std::map<std::uint32_t, GoBucketRow> now_, first_;
  std::map<std::uint32_t, std::uint32_t> site_of_;  // by bucket
  std::map<std::string, std::uint32_t> by_key_;
  std::vector<HeapSums> sites_;
  std::vector<std::uint64_t> times_;
  Series total_;
  std::uint64_t rate_ = 0;
};

std::optional<GoHeapReport> heap_of(const Recording& recording, ProcessSlot process) {
  HeapHistory history(recording);
  for (const GoProfileLook& look : go_of(recording).profiles)
    if (look.kind == GoProfileKind::kHeap && look.process == process) history.add(look);
  return history.report();
}

// ---- waits that the program counts ----

std::optional<GoContentionReport> contention_of(const Recording& recording, GoProfileKind kind,
                                                ProcessSlot process, std::uint64_t first_ns) {
  GoCounters last = counters_at(recording, kind, process, ~std::uint64_t{0});
  if (!last.last) return std::nullopt;
  GoCounters first = counters_at(recording, kind, process, first_ns);
  std::map<std::string, GoContentionSite> sites;
  double scale = static_cast<double>(std::max<std::uint64_t>(last.last->rate, 1));
  double ns =
      last.last->ticks_per_second ? scale * 1e9 / static_cast<double>(last.last->ticks_per_second) : 0;
  for (const auto& [bucket, row] : last.rows) {
    std::vector<GoCall> calls = recorded_calls(recording, go_of(recording).buckets[bucket].stack);
    GoContentionSite& site = sites[go_site_key(calls)];
    site.calls = std::move(calls);
    auto before = first.rows.find(bucket);
    std::array<std::int64_t, 4> values =
        before == first.rows.end() ? std::array<std::int64_t, 4>{} : before->second.values;
    site.contentions += scale * static_cast<double>(row.values[0]);
    site.ns += ns * static_cast<double>(row.values[1]);
    site.contentions_within += scale * static_cast<double>(row.values[0] - values[0]);
    site.ns_within += ns * static_cast<double>(row.values[1] - values[1]);
  }
  GoContentionReport report{kind, {}};
  for (auto& [key, site] : sites) report.sites.push_back(std::move(site));
  std::stable_sort(report.sites.begin(), report.sites.end(),
                   [](const GoContentionSite& a, const GoContentionSite& b) {
                     return std::tuple(a.ns_within, a.ns) > std::tuple(b.ns_within, b.ns);
                   });
  return report;
}

// ---- the collector ----

std::optional<GoCollectorReport> collector_of(const std::vector<const GoLook*>& looks) {
  std::optional<GoCollectorReport> report;
  const Collector* before = nullptr;
  for (const GoLook* look : looks) {
    if (!look->collector) continue;
    const Collector& now = *look->collector;
    if (!before) report.emplace().first = now;
    std::uint32_t fresh = before && now.cycles >= before->cycles ? now.cycles - before->cycles : 0;
    report->all_known = report->all_known && fresh <= now.last.size();
    for (std::size_t i = 0; i < std::min<std::size_t>(fresh, now.last.size()); ++i)
      report->longest_ns = std::max(report->longest_ns.value_or(0), now.last[i].ns);
    report->last = now;
    before = &now;
  }
  if (!report) return report;
  report->cycles = report->last.cycles - std::min(report->last.cycles, report->first.cycles);
  report->forced = report->last.forced - std::min(report->last.forced, report->first.forced);
  report->pauses_ns = report->last.pauses_ns - std::min(report->last.pauses_ns, report->first.pauses_ns);
  return report;
}

GoReport report_of_process(const Recording& recording, ProcessSlot process,
                           const std::vector<const GoLook*>& looks) {
  const GoLook &first = *looks.front(), &last = *looks.back();
  GoReport report;
  report.process = process;
  report.version = last.version;
  report.module = last.module;
  report.note = last.note;
  report.looks = looks.size();
  report.first_ns = first.time_ns - std::min(first.time_ns, recording.start_ns());
  report.last_ns = last.time_ns - std::min(last.time_ns, recording.start_ns());
  Series series;
  for (const GoLook* look : looks) {
    series.add(look->time_ns, static_cast<double>(look->figures.alive));
    GoSnapshot snapshot{look->time_ns - std::min(look->time_ns, recording.start_ns()), look->figures.alive, std::nullopt};
    if (look->collector) snapshot.cycles = look->collector->cycles;
    report.snapshots.push_back(snapshot);
    report.lost.torn += look->figures.torn;
    report.lost.moved += look->figures.moved;
    report.lost.broken += look->figures.broken;
    report.lost.unreadable += look->figures.unreadable;
    report.lost.alive += look->figures.alive;
  }
  report.goroutines = trend_of(series);
  report.creators = creators_of(recording, looks);
  report.stuck = last.stuck;
  if (const GoHeld* held = held_at(recording, last)) report.held = *held;
  report.heap = heap_of(recording, process);
  if (!report.heap) report.no_heap = last.no_heap;
  for (GoProfileKind kind : {GoProfileKind::kMutex, GoProfileKind::kBlock})
    if (std::optional<GoContentionReport> contention = contention_of(recording, kind, process, first.time_ns))
      report.contention.push_back(std::move(*contention));
  report.collector = collector_of(looks);
  report.findings = recorded_findings(recording, looks, report);
  return report;
}

}  // namespace

std::vector<GoReport> go_reports(const Recording& recording) {
  std::map<ProcessSlot, std::vector<const GoLook*>> looks;
  for (const GoLook& look : go_of(recording).looks) looks[look.process].push_back(&look);
  std::vector<GoReport> reports;
  for (const auto& [process, of_process] : looks)
    reports.push_back(report_of_process(recording, process, of_process));
  return reports;
}

GoCounters counters_at(const Recording& recording, GoProfileKind kind, ProcessSlot process,
                       std::uint64_t time_ns) {
  GoCounters counters;
  for (const GoProfileLook& look : go_of(recording).profiles) {
    if (look.kind != kind || look.process != process || look.time_ns > time_ns) continue;
    counters.last = &look;
    for (const GoBucketRow& row : look.rows) counters.rows[row.bucket] = row;
  }
  return counters;
}

std::vector<GoCall> recorded_calls(const Recording& recording, const GoStack& stack) {
  std::vector<GoCall> calls;
  for (std::uint32_t location : recording.stacks[static_cast<std::size_t>(stack.stack)].locations) {
    if (location >= recording.symbols.size()) continue;
    const std::vector<SymbolFrame>& frames = recording.symbols[location].frames;
    for (std::size_t i = 0; i < frames.size() && calls.size() < stack.hidden.size(); ++i)
      calls.push_back({frames[i].function, frames[i].file, frames[i].line, i + 1 < frames.size(),
                       stack.hidden[calls.size()]});
  }
  return calls;
}

std::string go_site_key(const std::vector<GoCall>& calls) {
  std::string key;
  for (const GoCall& call : calls) {
    key += call.function;
    key += '\n';
    key += call.file;
    key += ':' + std::to_string(call.line) + '\n';
  }
  return key;
}

}  // namespace dwell
