// SPDX-License-Identifier: Apache-2.0
// What is made and never ended: contexts and timers.
#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "ui/values.h"
#include "ui/words.h"
#include "userspace/base/text.h"
#include "userspace/go/code/places.h"
#include "userspace/go/findings/parts.h"

namespace dwell {
namespace {

// Timers end by themselves; any server with timeouts has some.
constexpr std::uint64_t kManyTimers = 100;

struct Lot {
  std::uint64_t count = 0;
  std::map<std::string, std::uint64_t> waiters;  // goroutines by where they wait
};

std::string made_text(const GoMakers& makers) {
  std::string places = places_text(makers);
  if (places.empty()) return "";
  return "made " + places + (makers.never_calls.empty() ? "" : ", which never calls " + makers.never_calls);
}

std::uint64_t time_left(const GoTimerGroup& group, const GoroutineReport& report) {
  return group.latest_ns - std::min(group.latest_ns, report.time_monotonic_ns);
}

Finding held_finding(const GoroutineReport& report, std::string headline, const std::string& made, const std::string& option) {
  Finding finding;
  finding.weight = FindingWeight::kPileUp;
  finding.proved = report.stuck && report.stuck->proved;
  finding.headline = std::move(headline) + (made.empty() ? "" : ": " + made);
  finding.command = fmt::format("dwell go {} --prove {}", report.pid, option);
  return finding;
}

}  // namespace

void add_contexts(CodeOnDemand& code, GoroutineReport& report) {
  if (!report.contexts || !report.contexts->lost) return;
  std::map<std::string, Lot> lots;  // by who made them
  for (const GoContextGroup& group : report.contexts->groups) {
    if (!group.lost.value_or(0)) continue;
    Lot& lot = lots[made_text(makers_of_contexts(code.sites(), group))];
    lot.count += *group.lost;
    if (group.waited_for && !group.calls.empty()) lot.waiters[own_place_text(group.calls)] += group.count;
  }
  std::vector<std::pair<std::string, Lot>> sorted(lots.begin(), lots.end());
  std::ranges::stable_sort(sorted, std::greater<>(), [](const auto& lot) { return lot.second.count; });
  for (const auto& [made, lot] : sorted) {
    Finding finding = held_finding(report, fmt::format("{} {} never cancelled, and nobody can cancel {} any more", counted(lot.count, "context"),
                                                       lot.count == 1 ? "was" : "were", lot.count == 1 ? "it" : "them"),
                                   made, "--contexts");
    for (const auto& [where, count] : lot.waiters)
      finding.evidence.push_back(fmt::format("{} {} for their end at {}", counted(count, "goroutine"), count == 1 ? "waits" : "wait", where));
    report.findings.push_back(std::move(finding));
  }
}

void add_timers(CodeOnDemand& code, GoroutineReport& report) {
  if (!report.timers) return;
  std::map<std::pair<bool, std::string>, std::uint64_t> lots;  // tickers or not, by who made them
  std::uint64_t latest_ns = 0;
  for (const GoTimerGroup& group : report.timers->groups) {
    if (!group.useless.value_or(0)) continue;
    if (!group.period_ns && report.timers->useless_timers < kManyTimers) continue;
    GoMakers makers = group.period_ns ? makers_of_tickers(code.sites(), group.period_ns) : makers_of_timers(code.sites(), time_left(group, report), *group.useless);
    lots[{group.period_ns != 0, made_text(makers)}] += *group.useless;
    if (!group.period_ns) latest_ns = std::max(latest_ns, group.latest_ns);
  }
  for (const auto& [key, count] : lots) {
    std::string what = key.first ? fmt::format("{} {} never stopped, and nobody can receive from {} any more", counted(count, "ticker"),
                                               count == 1 ? "was" : "were", count == 1 ? "it" : "them")
                                 : fmt::format("{} are pending that nobody can receive from any more", counted(count, "timer"));
    Finding finding = held_finding(report, std::move(what), key.second, "--timers");
    if (!key.first && latest_ns > report.time_monotonic_ns)
      finding.evidence.push_back("the last is due in " + human_duration(latest_ns - report.time_monotonic_ns) + "; time.After makes one with each call");
    report.findings.push_back(std::move(finding));
  }
}

}  // namespace dwell
