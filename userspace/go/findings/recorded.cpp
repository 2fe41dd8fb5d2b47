// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/findings/recorded.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "ui/values.h"
#include "ui/words.h"
#include "userspace/base/text.h"
#include "userspace/go/code/places.h"
#include "userspace/go/findings/collector_words.h"
#include "userspace/go/findings/findings.h"
#include "userspace/go/heap/allocs_report.h"
#include "userspace/go/part.h"

namespace dwell {
namespace {

struct LockWaits {
  std::size_t looks = 0;
  std::uint64_t least = ~std::uint64_t{0}, most = 0;
};

bool waited_for_lock(const GoGroup& group) {
  if (!group.waits || group.of_runtime || group.stuck || group.examples.empty()) return false;
  const std::optional<GoLock>& lock = group.examples[0].wait.lock;
  return lock && (lock->kind == "sync.Mutex" || lock->kind == "sync.RWMutex");
}

void add_recorded_locks(const Recording& recording, const std::vector<const GoLook*>& looks,
                        std::vector<Finding>& findings) {
  constexpr std::size_t kFewestLooks = 3;
  constexpr std::uint64_t kManyWaited = 3, kManyInOne = 4;
  std::map<std::string, LockWaits> locks;
  for (const GoLook* look : looks) {
    std::map<std::string, std::uint64_t> counts;
    for (const GoGroup& group : look->groups)
      if (waited_for_lock(group))
        counts[fmt::format("{} at {}", group.examples[0].wait.lock->kind,
                           own_place_text(recorded_calls(recording, group.stack)))] += group.count;
    for (const auto& [where, count] : counts) {
      LockWaits& lock = locks[where];
      ++lock.looks;
      lock.least = std::min(lock.least, count);
      lock.most = std::max(lock.most, count);
    }
  }
  for (const auto& [where, lock] : locks) {
    // As few as one or two snapshots, of a short recording, have to be as clear as a look.
    bool few = looks.size() < kFewestLooks;
    if (few ? lock.looks < looks.size() || lock.least < kManyInOne : lock.looks * 2 < looks.size() || lock.most < kManyWaited) continue;
    Finding& finding = findings.emplace_back();
    finding.weight = FindingWeight::kPileUp;
    finding.headline = fmt::format("in {} of {} snapshots, {}{} waited for a {}", lock.looks, looks.size(),
                                   lock.least == lock.most ? "" : count_text(lock.least) + " to ",
                                   counted(lock.most, "goroutine"), where);
    finding.command = "dwell record --go-blocked";
    // Who held it at the end.
    auto same = [&, text = "wait for a " + where](const Finding& other) {
      return &other != &finding && other.headline.ends_with(text);
    };
    if (auto held = std::ranges::find_if(findings, same); held != findings.end()) {
      for (const std::string& evidence : held->evidence) finding.evidence.push_back("at the end " + evidence);
      findings.erase(held);
    }
  }
}

void add_growing(const GoReport& report, std::vector<Finding>& findings) {
  for (const GoCreatorReport& creator : report.creators) {
    if (creator.of_runtime || !creator.count.grows || creator.creator.function.empty()) continue;
    Finding& finding = findings.emplace_back();
    finding.weight = FindingWeight::kPileUp;
    finding.headline =
        fmt::format("goroutines started at {} grow steadily, by {} a minute: from {} to {}",
                    place_text(creator.creator), count_text(std::round(*creator.count.per_minute)),
                    count_text(creator.count.first), count_text(creator.count.last));
    finding.evidence.push_back(
        fmt::format("most of them in {} at {}", creator.state, own_place_text(creator.calls)));
    finding.command = "dwell report";
  }
}

std::string per_second(double bytes, std::uint64_t ns) {
  return human_bytes(bytes * 1e9 / static_cast<double>(std::max<std::uint64_t>(ns, 1)));
}

// Who had to help the collector, by the snapshots; "" if none saw anybody.
std::string assists_text(const Recording& recording, const std::vector<const GoLook*>& looks) {
  std::size_t seen = 0;
  std::map<std::string, std::uint64_t> places;
  for (const GoLook* look : looks) {
    bool here = false;
    for (const GoGroup& group : look->groups) {
      if (!group.state.starts_with("GC assist")) continue;
      here = true;
      places[own_place_text(recorded_calls(recording, group.stack))] += group.count;
    }
    seen += here;
  }
  if (!seen) return "";
  auto most = std::ranges::max_element(places, {}, [](const auto& place) { return place.second; });
  return fmt::format(
      "in {} of {} snapshots goroutines that allocate had to help it or wait for it, most at {}", seen,
      looks.size(), most->first);
}

// By its own profile or by samples; "" if neither tells.
std::string most_allocated(const Recording& recording, const GoReport& report) {
  if (go_of(recording).allocs && go_of(recording).allocs->duration_ns) {
    GoAllocsReport allocs = go_allocs_report(recording);
    auto most = std::ranges::max_element(allocs.rows, {}, &GoAllocRow::alloc_bytes);
    if (most == allocs.rows.end() || most->alloc_bytes <= 0) return "";
    std::vector<GoCall> calls;
    for (const ReportFrame& frame : most->stack.frames())
      calls.push_back({frame.function, frame.file, frame.line, false, false});
    return fmt::format("{} a second at {}", per_second(most->alloc_bytes, allocs.duration_ns),
                       own_place_text(calls));
  }
  if (!report.heap || report.heap->sites.empty()) return "";
  auto bytes_of = [](const GoHeapSiteReport& site) { return site.allocated.bytes; };
  auto most = std::ranges::max_element(report.heap->sites, {}, bytes_of);
  if (most->allocated.bytes <= 0) return "";
  return fmt::format("{} a second at {}", per_second(most->allocated.bytes, report.heap->window_ns),
                     own_place_text(most->calls));
}

void add_recorded_collector(const Recording& recording, const std::vector<const GoLook*>& looks,
                            const GoReport& report, std::vector<Finding>& findings) {
  constexpr double kOften = 20;
  constexpr std::uint64_t kLongEnough = 500'000'000;
  std::uint64_t span_ns = report.last_ns - report.first_ns;
  // By the last ten seconds.
  auto of_end = [](const Finding& other) {
    return other.headline.starts_with("the garbage collector runs ");
  };
  auto end = std::ranges::find_if(findings, of_end);
  bool at_end = end != findings.end();
  std::string most = most_allocated(recording, report);
  if (!report.collector || span_ns < kLongEnough) {
    if (at_end && !most.empty()) end->evidence.push_back("most is allocated by " + most);
    return;
  }
  const GoCollectorReport& collector = *report.collector;
  double rate = collector.cycles * 1e9 / static_cast<double>(span_ns);
  double stopped = static_cast<double>(collector.pauses_ns) / static_cast<double>(span_ns);
  constexpr std::uint64_t kFewRecorded = 10;
  constexpr double kMuchOfItsCpu = 0.25;
  bool costly = collector.cycles >= kFewRecorded && collector.last.cpu_share >= kMuchOfItsCpu;
  double had = had_of_wanted_cpu(collector.first.cpu, collector.last.cpu);
  if (wanted_per_second(rate, had) < kOften && !costly && !at_end) return;
  Finding& finding = findings.emplace_back();
  finding.weight = FindingWeight::kWaste;
  finding.headline = fmt::format(
      "the garbage collector ran {:.0f} times a second, stopped the program for {:.1f}% of the time, and has "
      "taken {:.1f}% of its CPU time since that began",
      rate, 100 * stopped, 100 * collector.last.cpu_share);
  if (!most.empty()) finding.evidence.push_back("most is allocated by " + most);
  if (std::string words = had_words(rate, had); !words.empty()) finding.evidence.push_back(words);
  if (std::string assists = assists_text(recording, looks); !assists.empty())
    finding.evidence.push_back(assists);
  CollectorReason reason = reason_of(collector.last);
  if (reason.at_limit) finding.headline += ", because " + reason.words;
  if (!reason.at_limit && !reason.words.empty()) finding.evidence.push_back(reason.words);
  // Who paid for it at the end.
  if (end = std::ranges::find_if(findings, of_end); end != findings.end()) {
    for (const std::string& evidence : end->evidence)
      if (evidence.find("glances") != std::string::npos) finding.evidence.push_back("at the end " + evidence);
  }
  finding.command = "dwell export --view heap";
  std::erase_if(findings, of_end);
}

}  // namespace

std::vector<Finding> recorded_findings(const Recording& recording, const std::vector<const GoLook*>& looks,
                                       const GoReport& report) {
  std::vector<Finding> findings;
  if (report.held) findings = report.held->findings;
  add_growing(report, findings);
  add_recorded_locks(recording, looks, findings);
  add_recorded_collector(recording, looks, report, findings);
  sort_findings(findings);
  return findings;
}

}  // namespace dwell
