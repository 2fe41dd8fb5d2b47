// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/findings.h"

#include <fmt/core.h>

#include "ui/words.h"
#include "userspace/go/goroutines/text.h"
#include "userspace/go/record/snapshot.h"

namespace dwell {
namespace {

Finding stuck_of(const GoroutineReport& report) {
  Finding finding;
  finding.weight = FindingWeight::kStuck;
  finding.proved = report.stuck->proved;
  std::size_t count = report.stuck->goroutines.size();
  finding.headline = fmt::format("{} {} never wake{}", counted(count, "goroutine"), finding.proved ? "can" : "very likely", finding.proved ? "" : " again");
  constexpr std::size_t kGroups = 3;
  for (const GoroutineGroup& group : report.groups) {
    if (!group.stuck || finding.evidence.size() >= kGroups) continue;
    std::string started = group.creator.function.empty() ? "" : ", started at " + go_call_site({group.creator});
    finding.evidence.push_back(fmt::format("{} in {}{}", count_text(group.count), group.state, started));
  }
  if (!report.stuck->reservation.empty()) finding.evidence.push_back("not proved: " + report.stuck->reservation);
  finding.command = fmt::format("dwell go {} --prove", report.pid);
  return finding;
}

Finding held_by_nobody(const GoroutineReport& report, std::uint64_t count, const std::string& what, const std::string& option) {
  Finding finding;
  finding.weight = FindingWeight::kPileUp;
  finding.proved = report.stuck && report.stuck->proved;
  finding.headline = fmt::format("{} {}", count_text(count), what);
  finding.command = fmt::format("dwell go {} --prove {}", report.pid, option);
  return finding;
}

}  // namespace

Findings findings_of(const GoroutineReport& report) {
  Findings result;
  std::uint64_t all = 0;
  for (const GoroutineGroup& group : report.groups) all += group.of_runtime ? 0 : group.count;
  result.looked_at = fmt::format("{} ({})", counted(all, "goroutine"), report.go_version);
  if (report.stuck && !report.stuck->goroutines.empty()) result.findings.push_back(stuck_of(report));
  if (report.contexts && report.contexts->lost)
    result.findings.push_back(held_by_nobody(report, report.contexts->lost, "contexts that were never cancelled and that nobody can cancel any more", "--contexts"));
  if (report.timers && report.timers->useless_tickers)
    result.findings.push_back(held_by_nobody(report, report.timers->useless_tickers, "tickers that were never stopped and that nobody can receive from any more", "--timers"));
  return result;
}

std::optional<Findings> go_findings(const LookRequest& request) {
  Result<GoroutineReport> report = take_go_snapshot({request.pid, true, false, true, true, "", request.command_line});
  if (!report) return std::nullopt;
  return findings_of(*report);
}

}  // namespace dwell
