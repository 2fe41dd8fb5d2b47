// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/findings.h"

#include <fmt/core.h>

#include <map>

#include "ui/words.h"
#include "userspace/base/text.h"
#include "userspace/record/subject.h"
#include "userspace/threads/snapshot.h"

namespace dwell {

Findings findings_of(const ThreadReport& report) {
  Findings result;
  std::map<ThreadState, std::size_t> states;
  for (const ThreadRow& thread : report.threads) ++states[thread.facts.state];
  std::string by_state;
  for (const auto& [state, count] : states) by_state += fmt::format(", {} {}", count_text(count), name_of(state));
  result.looked_at = counted(report.threads.size(), "thread") + by_state;
  for (const Verdict& verdict : report.verdicts) {
    bool spins = verdict.kind == VerdictKind::kSpinning;
    if (!verdict.stuck_for_good() && !spins) continue;
    Finding& finding = result.findings.emplace_back();
    finding.weight = spins ? FindingWeight::kWaste : FindingWeight::kStuck;
    finding.proved = verdict.certainty == Certainty::kCertain;
    finding.headline = fmt::format("{} ({}): {}", name_of(verdict.kind), name_of(verdict.certainty), verdict.headline);
    finding.evidence = verdict.evidence;
    finding.command = fmt::format("dwell threads {}", report.process.pid);
  }
  return result;
}

std::optional<Findings> threads_findings(const LookRequest& request) {
  Result<Recording> recording = take_snapshot({request.pid, "", false, request.command_line});
  if (!recording) return Findings{"", "threads: " + recording.error().what, {}};
  Result<ThreadReport> report = thread_report(*recording);
  if (!report) return Findings{"", "threads: " + report.error().what, {}};
  return findings_of(*report);
}

}  // namespace dwell
