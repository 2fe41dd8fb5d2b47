// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <algorithm>

#include "ui/words.h"
#include "userspace/go/code/places.h"
#include "userspace/go/findings/parts.h"

namespace dwell {
namespace {

constexpr std::size_t kMostEvidence = 3;
constexpr std::uint64_t kManyResponses = 10;

bool has_first(const GoroutineGroup& group) {
  return std::ranges::any_of(group.examples, [](const GoroutineExample& example) { return example.id == 1; });
}

// "started at main.go:59 (main.handle); chan send at main.go:54 (main.queryBackend)"
std::string origin_text(const GoroutineGroup& group) {
  std::string text;
  if (!group.creator.function.empty()) text = "started at " + place_text(group.creator) + "; ";
  return text + group.state + " at " + own_place_text(group.calls);
}

}  // namespace

void add_stuck(GoroutineReport& report) {
  if (!report.stuck || report.stuck->goroutines.empty()) return;
  Finding finding;
  finding.weight = FindingWeight::kStuck;
  finding.proved = report.stuck->proved;
  std::uint64_t count = report.stuck->goroutines.size();
  const GoroutineGroup* main = nullptr;
  for (const GoroutineGroup& group : report.groups)
    if (group.stuck && has_first(group)) main = &group;
  for (const GoroutineGroup& group : report.groups) {
    if (!group.stuck || &group == main || finding.evidence.size() >= kMostEvidence) continue;
    finding.evidence.push_back(fmt::format("{} {}", count_text(group.count), origin_text(group)));
  }
  finding.headline = fmt::format("{} {} never wake{}", counted(count, "goroutine"), finding.proved ? "can" : "very likely", finding.proved ? "" : " again");
  if (main) {
    finding.headline = fmt::format("the program {} ends: its first goroutine waits at {} for {} that never wake{}", finding.proved ? "never" : "very likely never",
                                   own_place_text(main->calls), counted(count - 1, "goroutine"), count == 2 ? "s" : "");
  } else if (!finding.evidence.empty()) {
    std::string first = finding.evidence[0].substr(finding.evidence[0].find(' ') + 1);
    finding.headline += ": " + std::string(finding.evidence.size() > 1 ? "most " : "") + first;
    if (finding.evidence.size() == 1) finding.evidence.clear();
  }
  if (!report.stuck->reservation.empty()) finding.evidence.push_back("not proved: " + report.stuck->reservation);
  finding.command = fmt::format("dwell go {} --prove", report.pid);
  report.findings.push_back(std::move(finding));
}

void add_responses(CodeOnDemand& code, GoroutineReport& report) {
  std::uint64_t open = 0;
  for (const GoroutineGroup& group : report.groups)
    if (holds_open_response(group)) open += group.count;
  if (open < kManyResponses) return;
  Finding finding;
  finding.weight = FindingWeight::kPileUp;
  finding.headline = fmt::format("{} HTTP responses are open: their bodies are neither read to the end nor closed", count_text(open));
  GoMakers makers = makers_of_responses(code.sites());
  if (!makers.places.empty())
    finding.evidence.push_back(fmt::format("requested {}{}", places_text(makers),
                                           makers.never_calls.empty() ? "" : ", where no " + makers.never_calls + " follows"));
  finding.evidence.push_back("each holds a connection and two goroutines");
  finding.command = fmt::format("dwell go {}", report.pid);
  report.findings.push_back(std::move(finding));
}

}  // namespace dwell
