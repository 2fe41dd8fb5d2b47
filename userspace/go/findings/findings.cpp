// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/findings/findings.h"

#include <fmt/core.h>

#include <algorithm>

#include "ui/escape.h"
#include "userspace/go/findings/parts.h"

namespace dwell {

void sort_findings(std::vector<Finding>& findings) {
  std::ranges::stable_sort(findings, [](const Finding& a, const Finding& b) {
    return a.weight != b.weight ? a.weight < b.weight : a.proved > b.proved;
  });
}

void add_findings(const GoRuntime& runtime, GoroutineReport& report, FindingsOf what) {
  CodeOnDemand code(runtime);
  add_stuck(report);
  add_contexts(code, report);
  add_timers(code, report);
  add_responses(code, report);
  add_pools(code, report);
  add_library_pools(code, report);
  add_locks(runtime, report, what);
  add_open_files(code, report);
  add_holders(code, report);
  add_collector(runtime, report);
  add_wall_reads(runtime, report);
  sort_findings(report.findings);
}

std::string sentence_of(const Finding& finding) {
  std::string text = finding.headline;
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
  if (!finding.evidence.empty()) text += "; " + finding.evidence[0];
  return printable(text) + ".";
}

std::string findings_text(const std::vector<Finding>& findings, const TextStyle& style) {
  if (findings.empty()) return "";
  std::string out = style.paragraph(Paint::kStrong, "What to look at");
  std::size_t number = 0;
  for (const Finding& finding : findings) {
    Paint paint = finding.weight == FindingWeight::kStuck ? Paint::kGrew : Paint::kWarning;
    out += style.paragraph(paint, fmt::format("{}  {}", ++number, printable(finding.headline)), 3);
    for (const std::string& evidence : finding.evidence) out += style.paragraph(Paint::kPlain, "   " + printable(evidence), 3);
  }
  return out + "\n";
}

}  // namespace dwell
