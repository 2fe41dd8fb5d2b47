// SPDX-License-Identifier: Apache-2.0
#include "userspace/commands/overview.h"

#include <fmt/core.h>

#include <algorithm>

#include "ui/escape.h"
#include "ui/values.h"
#include "ui/words.h"
#include "userspace/base/text.h"

namespace dwell {
namespace {

class OverviewText {
 public:
  OverviewText(const Overview& overview, const TextStyle& style) : overview_(overview), style_(style) {}

  std::string write() {
    write_header();
    write_findings();
    write_looked_at();
    return std::move(out_);
  }

 private:
  // Where it does not fit the screen, it goes on below its own beginning, `hang` columns from the left.
  void line(Paint paint, const std::string& text, std::size_t hang = 4) { out_ += style_.paragraph(paint, text, hang); }

  void write_header() {
    const ProcessFacts& process = overview_.process;
    line(Paint::kStrong, fmt::format("{} ({})", printable(process.name), process.pid));
    if (!process.command_line.empty()) line(Paint::kDim, "  " + printable(process.command_line));
    if (overview_.running_ns) line(Paint::kDim, "  running for " + human_duration(*overview_.running_ns));
    if (!process.container.empty()) line(Paint::kDim, "  in container " + process.container.substr(0, 12));
    if (!overview_.children.empty())
      line(Paint::kDim, "  " + printable(children_note(overview_.children, "looked at", "dwell")));
    out_ += '\n';
  }

  void write_findings() {
    std::vector<const Finding*> findings = overview_.findings();
    if (findings.empty()) return line(Paint::kStrong, "Nothing wrong was found.");
    constexpr std::size_t kNumber = 3, kEvidence = 5;
    std::size_t index = 0;
    for (const Finding* finding : findings) {
      Paint paint = finding->weight == FindingWeight::kStuck ? Paint::kGrew : Paint::kWarning;
      line(paint, fmt::format("{:<{}}{}", ++index, kNumber, printable(finding->headline)), kNumber);
      for (const std::string& evidence : finding->evidence) line(Paint::kPlain, fmt::format("{:{}}{}", "", kEvidence, printable(evidence)), kEvidence + 2);
      line(Paint::kDim, fmt::format("{:{}}{}", "", kEvidence, printable(finding->command)), kEvidence + 2);
    }
  }

  void write_looked_at() {
    out_ += '\n';
    line(Paint::kPlain, fmt::format("Looked at in {}, without a probe; the process was not stopped:", human_duration(overview_.took_ns)));
    constexpr std::size_t kNameWidth = 11;
    for (const SubjectFindings& subject : overview_.subjects) {
      if (!subject.found.looked_at.empty())
        line(Paint::kPlain, fmt::format("  {:<{}} {}", subject.subject, kNameWidth, printable(subject.found.looked_at)), kNameWidth + 3);
      if (!subject.found.not_seen.empty()) line(Paint::kWarning, "  not looked at: " + printable(subject.found.not_seen));
    }
  }

  const Overview& overview_;
  const TextStyle& style_;
  std::string out_;
};

}  // namespace

std::vector<const Finding*> Overview::findings() const {
  std::vector<const Finding*> all;
  for (const SubjectFindings& subject : subjects)
    for (const Finding& finding : subject.found.findings) all.push_back(&finding);
  std::ranges::stable_sort(all, [](const Finding* a, const Finding* b) {
    return a->weight != b->weight ? a->weight < b->weight : a->proved > b->proved;
  });
  return all;
}

bool Overview::proved() const {
  return std::ranges::any_of(findings(), [](const Finding* finding) { return finding->proved; });
}

std::string overview_text(const Overview& overview, const TextStyle& style) { return OverviewText(overview, style).write(); }

Json overview_json(const Overview& overview) {
  Json json = {{"format", "dwell overview"}, {"version", 1}, {"pid", overview.process.pid}, {"name", printable(overview.process.name)},
               {"command_line", printable(overview.process.command_line)}, {"container", overview.process.container},
               {"running_ns", overview.running_ns ? Json(*overview.running_ns) : Json(nullptr)}, {"took_ns", overview.took_ns}};
  Json& children = json["children"] = Json::array();
  for (const ChildProcess& child : overview.children) children.push_back({{"pid", child.pid}, {"name", printable(child.name)}});
  Json& findings = json["findings"] = Json::array();
  for (const Finding* finding : overview.findings()) {
    Json evidence = Json::array();
    for (const std::string& sentence : finding->evidence) evidence.push_back(printable(sentence));
    findings.push_back({{"weight", name_of(finding->weight)}, {"proved", finding->proved}, {"headline", printable(finding->headline)},
                        {"evidence", evidence}, {"command", printable(finding->command)}});
  }
  Json& looked_at = json["looked_at"] = Json::array();
  for (const SubjectFindings& subject : overview.subjects)
    looked_at.push_back({{"subject", subject.subject}, {"seen", printable(subject.found.looked_at)}, {"not_seen", printable(subject.found.not_seen)}});
  return json;
}

}  // namespace dwell
