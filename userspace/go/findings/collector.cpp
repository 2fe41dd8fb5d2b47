// SPDX-License-Identifier: Apache-2.0
// What the garbage collector costs, why it runs, who pays, and whether it would run before the control group's memory is used up.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "ui/values.h"
#include "ui/words.h"
#include "userspace/base/text.h"
#include "userspace/go/code/places.h"
#include "userspace/go/findings/collector_words.h"
#include "userspace/go/findings/parts.h"
#include "userspace/go/heap/assists.h"
#include "userspace/process/cpu_time.h"

namespace dwell {
namespace {

constexpr std::uint64_t kCollectorWindowNs = 10'000'000'000;
constexpr std::size_t kFewestCycles = 20, kFewCycles = 10;
constexpr double kMuchOfCpu = 0.25;  // what the runtime itself means to use at most, and while it collects only
constexpr double kOftenPerSecond = 20, kNearLimit = 0.7;
constexpr std::uint64_t kCpuWindowNs = 250'000'000;

std::string size_words(std::uint64_t count) { return human_bytes(static_cast<double>(count)); }

struct RecentCycles {
  std::size_t cycles = 0;
  std::uint64_t window_ns = 0, stopped_ns = 0;
  double per_second() const { return static_cast<double>(cycles) * 1e9 / static_cast<double>(std::max<std::uint64_t>(window_ns, 1)); }
};

// Over the last ten seconds, as far back as its memory of 256 cycles reaches.
RecentCycles recent_cycles(const Collector& collector, std::uint64_t now_ns) {
  RecentCycles recent;
  std::uint64_t from_ns = now_ns - std::min(now_ns, kCollectorWindowNs), first_ns = now_ns;
  for (const CollectorPause& pause : collector.last) {
    if (pause.end_unix_ns < from_ns || pause.end_unix_ns > now_ns) break;
    recent.stopped_ns += pause.ns;
    first_ns = pause.end_unix_ns;
    ++recent.cycles;
  }
  recent.window_ns = now_ns - first_ns;
  return recent;
}

// What CPU time the program has of what it wants, over a quarter of a second.
double has_of_wanted_cpu(const GoRuntime& runtime) {
  std::optional<WantedCpuTime> before = wanted_cpu_time(runtime.memory().pid());
  std::this_thread::sleep_for(std::chrono::nanoseconds(kCpuWindowNs));
  return had_of_wanted_cpu(before, wanted_cpu_time(runtime.memory().pid()));
}

void add_busy(const GoRuntime& runtime, GoroutineReport& report) {
  const Collector& collector = *report.collector;
  RecentCycles recent = recent_cycles(collector, report.time_unix_ns);
  double has = 1;
  // Whether it would be often is asked only where it may be.
  if (recent.cycles >= kFewestCycles && recent.per_second() < kOftenPerSecond && wanted_per_second(recent.per_second(), 0) >= kOftenPerSecond)
    has = has_of_wanted_cpu(runtime);
  bool often = recent.cycles >= kFewestCycles && wanted_per_second(recent.per_second(), has) >= kOftenPerSecond;
  bool costly = recent.cycles >= kFewCycles && collector.cpu_share >= kMuchOfCpu;
  if (!recent.window_ns || !(often || costly)) return;
  Finding finding;
  finding.weight = FindingWeight::kWaste;
  CollectorReason reason = reason_of(collector);
  finding.headline = fmt::format("the garbage collector runs {} times a second{}", human_count(recent.per_second()), reason.at_limit ? " because " + reason.words : "");
  finding.evidence.push_back(fmt::format("it stopped the program for {:.1f}% of the last {}, and has taken {:.1f}% of the CPU time since the program began",
                                         100.0 * static_cast<double>(recent.stopped_ns) / static_cast<double>(recent.window_ns),
                                         human_duration(recent.window_ns), 100 * collector.cpu_share));
  if (std::string had = had_words(recent.per_second(), has); !had.empty()) finding.evidence.push_back(had);
  if (!reason.at_limit && !reason.words.empty()) finding.evidence.push_back(reason.words);
  if (std::string paid = assist_words(glance_at_assists(runtime)); !paid.empty()) finding.evidence.push_back(paid);
  finding.command = fmt::format("dwell record {}", report.pid);
  report.findings.push_back(std::move(finding));
}

}  // namespace

CollectorReason reason_of(const Collector& collector) {
  if (!collector.live_bytes) return {};
  std::string live = size_words(*collector.live_bytes);
  bool at_limit = collector.limit && static_cast<double>(*collector.live_bytes) >= kNearLimit * static_cast<double>(*collector.limit);
  if (at_limit) {
    std::string words = fmt::format("GOMEMLIMIT is {} and {} are live", size_words(static_cast<std::uint64_t>(*collector.limit)), live);
    if (collector.group_limit && *collector.group_limit > static_cast<std::uint64_t>(*collector.limit))
      words += fmt::format(" (its control group allows {})", size_words(*collector.group_limit));
    return {true, words};
  }
  if (!collector.goal_bytes || !collector.percent) return {};
  return {false, fmt::format("{} are live, so it runs whenever the heap reaches {} (GOGC {}); a higher GOGC, with GOMEMLIMIT{}, lets it run less often", live,
                             size_words(*collector.goal_bytes), *collector.percent,
                             collector.group_limit ? fmt::format(" below the {} of its control group", size_words(*collector.group_limit)) : "")};
}

double had_of_wanted_cpu(const std::optional<WantedCpuTime>& first, const std::optional<WantedCpuTime>& last) {
  constexpr std::uint64_t kLeastNs = 20'000'000;
  if (!first || !last) return 1;
  // Threads that have ended took their share with them.
  if (last->ran_ns < first->ran_ns || last->waited_ns < first->waited_ns) return 1;
  std::uint64_t ran = last->ran_ns - first->ran_ns, wanted = ran + last->waited_ns - first->waited_ns;
  return wanted < kLeastNs ? 1 : static_cast<double>(ran) / static_cast<double>(wanted);
}

double wanted_per_second(double per_second, double had) {
  constexpr double kLeastHad = 0.25;
  return per_second / std::max(had, kLeastHad);
}

std::string had_words(double per_second, double had) {
  constexpr double kMost = 0.9;
  if (had >= kMost) return "";
  return fmt::format("the program had {:.0f}% of the CPU time that it wanted: with all of it that would be about {:.0f} times a second", 100 * had,
                     wanted_per_second(per_second, had));
}

std::string assist_words(const AssistGlances& assists) {
  if (!assists.glances || assists.places.empty()) return "";
  std::string text;
  if (assists.marking)
    text = fmt::format("goroutines that allocate have to help it: {:.1f} of them at a time", static_cast<double>(assists.marking) / static_cast<double>(assists.glances));
  if (assists.waiting)
    text += fmt::format("{}{:.1f} at a time wait for it", text.empty() ? "of goroutines that allocate, " : ", and ",
                        static_cast<double>(assists.waiting) / static_cast<double>(assists.glances));
  return fmt::format("{}, most at {} ({} glances)", text, assists.places[0].first, assists.glances);
}

std::optional<std::string> beyond_group(const Collector& collector) {
  if (!collector.goal_bytes || !collector.heap_bytes || !collector.group_limit || !collector.group_in_use) return std::nullopt;
  if (collector.limit && static_cast<std::uint64_t>(*collector.limit) <= *collector.group_limit) return std::nullopt;
  // What is idle now is used before the kernel is asked for more.
  std::uint64_t has = *collector.heap_bytes + collector.idle_bytes.value_or(0);
  std::uint64_t grows = *collector.goal_bytes - std::min(*collector.goal_bytes, has);
  if (!grows || *collector.group_in_use + grows <= *collector.group_limit) return std::nullopt;
  return fmt::format("the heap may grow by {} before it is collected, to {}, and its control group has {} left of {}", size_words(grows),
                     size_words(*collector.goal_bytes), size_words(*collector.group_limit - std::min(*collector.group_limit, *collector.group_in_use)),
                     size_words(*collector.group_limit));
}

void add_collector(const GoRuntime& runtime, GoroutineReport& report) {
  if (!report.collector || !report.collector->live_bytes) return;
  add_busy(runtime, report);
  std::optional<std::string> beyond = beyond_group(*report.collector);
  if (!beyond) return;
  Finding& finding = report.findings.emplace_back();
  finding.weight = FindingWeight::kLimit;
  finding.headline = *beyond;
  finding.evidence.push_back(report.collector->limit ? fmt::format("GOMEMLIMIT is {}, above that limit", size_words(static_cast<std::uint64_t>(*report.collector->limit)))
                                                     : "GOMEMLIMIT is not set: the collector does not know that limit");
  finding.command = fmt::format("dwell go {} --heap", report.pid);
}

}  // namespace dwell
