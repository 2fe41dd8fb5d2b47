// SPDX-License-Identifier: Apache-2.0
#include "userspace/files/opened/text.h"

#include <fmt/core.h>

#include <algorithm>

#include "ui/call_site.h"
#include "ui/escape.h"
#include "ui/lifetimes.h"
#include "ui/text_table.h"
#include "ui/values.h"
#include "ui/words.h"
#include "userspace/base/text.h"
#include "userspace/views/frames.h"

namespace dwell::files {
namespace {

constexpr std::size_t kMostFrames = 64, kMostSentences = 3;
constexpr std::uint64_t kPileUpOfConnections = 10;  // as dwell files has it

std::string many(std::uint64_t count) { return grouped(static_cast<std::int64_t>(count)); }

std::string kind_text(const DescriptorRow& row) {
  std::string kind(name_of(row.kind));
  return row.opening == Opening::kOpened ? kind : fmt::format("{}, {}", kind, name_of(row.opening));
}

std::string_view where_unknown(Opening opening) {
  if (opening == Opening::kBefore) return "open before the recording";
  return opening == Opening::kInherited ? "" : "[nobody saw it opened]";
}

std::string site_text(const DescriptorRow& row, std::size_t room) {
  if (row.stack.empty() && !has_call_site(row.opening)) return std::string(where_unknown(row.opening));
  return call_site_line(own_part(row.stack), room);
}

bool piles_up(const DescriptorRow& row) { return row.left_by_peer >= kPileUpOfConnections; }

std::string leak_sentence(const DescriptorRow& row) {
  const SiteLeak& leak = *row.leak;
  std::string others = row.closed ? fmt::format("; of the {} others that it opened, 95 % were closed within {}", many(row.closed),
                                                human_duration(leak.closed_within_ns))
                                  : "; none that it opened was closed";
  return fmt::format("Descriptors leak: {} ({}) opened at {} stay open, {} more a minute{}.", many(leak.staying), kind_text(row),
                     site_text(row, 0), count_text(leak.per_minute), others);
}

std::string pile_up_sentence(const DescriptorRow& row) {
  return fmt::format("{} connections {} at {} were closed by the other side and are still open here (CLOSE_WAIT): the program has to close them.",
                     many(row.left_by_peer), row.opening == Opening::kAccepted ? "accepted" : "opened", site_text(row, 0));
}

std::vector<std::string> verdicts_of(const DescriptorReport& report) {
  std::vector<std::string> all;
  for (const DescriptorRow& row : report.rows) {
    if (row.leak) all.push_back(leak_sentence(row));
    if (piles_up(row)) all.push_back(pile_up_sentence(row));
  }
  return all;
}

// The ledger against the process itself.
std::vector<std::string> check_lines(const DescriptorReport& report) {
  std::uint64_t agree = 0, gone = 0, unseen = 0;
  for (const DescriptorCheck& check : report.checks) agree += check.agree, gone += check.gone, unseen += check.unseen;
  if (!gone && !unseen) return {};
  return {fmt::format("At the end, {} agreed with /proc/PID/fd. {} had been closed and {} opened without being seen: these are corrected in the counts.",
                      counted(agree, "descriptor"), many(gone), many(unseen))};
}

std::string table_of(const DescriptorReport& report, std::size_t rows, const TextStyle& style) {
  TextTable table({{"#", 0}, {"open", 0}, {"opened", 0}, {"closed", 0}, {"growth/min", 1}, {"oldest", 2}, {"95% lived", 2}, {"kind", 1}, {"opened at", 0}});
  std::size_t room = table.last_column_width(style);
  for (std::size_t i = 0; i < rows; ++i) {
    const DescriptorRow& row = report.rows[i];
    table.add({{fmt::format("{}", i + 1)},
               {many(row.open())},
               {has_call_site(row.opening) ? many(row.opened) : "-"},
               {many(row.closed)},
               {row.growth_per_minute ? signed_count(*row.growth_per_minute) : "-"},
               {age_text(row.oldest_age_ns)},
               {lifetime_text(row.lifetimes)},
               {kind_text(row)},
               {site_text(row, room)}});
  }
  table.add({{""},
             {many(report.open + report.before_open)},
             {many(report.opened)},
             {many(report.closed + report.before - report.before_open)},
             {"-"},
             {"-"},
             {"-"},
             {""},
             {rows < report.rows.size() ? fmt::format("total, {} not shown", counted(report.rows.size() - rows, "row")) : "total"}});
  return table.write(style);
}

Json leak_json(const std::optional<SiteLeak>& leak) {
  if (!leak) return nullptr;
  return {{"staying", leak->staying},
          {"per_minute", leak->per_minute},
          {"others_closed_within_ns", leak->closed_within_ns ? Json(leak->closed_within_ns) : Json(nullptr)}};
}

Json row_json(const DescriptorRow& row) {
  return {{"process", row.process},
          {"kind", name_of(row.kind)},
          {"opening", name_of(row.opening)},
          {"opened", row.opened},
          {"closed", row.closed},
          {"open", row.open()},
          {"growth_per_minute", row.growth_per_minute ? Json(*row.growth_per_minute) : Json(nullptr)},
          {"oldest_age_ns", row.oldest_age_ns ? Json(*row.oldest_age_ns) : Json(nullptr)},
          {"lifetimes", lifetimes_json(row.lifetimes, "closed")},
          {"descriptors", row.descriptors},
          {"left_by_peer", row.left_by_peer},
          {"leak", leak_json(row.leak)},
          {"incomplete", row.incomplete.empty() ? Json(nullptr) : Json(printable(row.incomplete))},
          {"stack", stack_json(row.stack)}};
}

Json check_json(const DescriptorCheck& check) {
  return {{"process", check.process}, {"agree", check.agree}, {"gone", check.gone}, {"unseen", check.unseen}};
}

}  // namespace

std::string descriptors_text(const Recording&, const DescriptorReport& report, const SectionStyle& how) {
  const TextStyle& style = how.style;
  std::string out = "\n" + style.paragraph(Paint::kStrong, "Descriptors by the call site that opened them");
  std::string before = report.before ? fmt::format("; of {} that were open before, {} still are", many(report.before), many(report.before_open)) : "";
  out += style.paragraph(Paint::kPlain, fmt::format("{} opened and {} closed in this recording{}.", many(report.opened), many(report.closed), before));
  for (const std::string& verdict : verdicts_of(report)) out += style.paragraph(Paint::kGrew, verdict);
  for (const std::string& line : check_lines(report)) out += style.paragraph(Paint::kPlain, line);
  std::size_t rows = std::min(how.sites, report.rows.size());
  if (rows) out += table_of(report, rows, style);
  for (std::size_t i = 0; i < std::min(how.stacks, rows); ++i) {
    const DescriptorRow& row = report.rows[i];
    if (row.stack.empty() || !row.open()) continue;
    out += "\n" + style.paragraph(Paint::kStrong, fmt::format("#{}  {} open of {} opened ({})", i + 1, many(row.open()), many(row.opened), kind_text(row)));
    out += stack_lines(row.stack, row.incomplete, kMostFrames, style);
  }
  return out;
}

std::vector<std::string> descriptor_sentences(const DescriptorReport& report) {
  std::vector<std::string> all = verdicts_of(report);
  if (all.size() > kMostSentences) all.resize(kMostSentences);
  return all;
}

Json descriptors_json(const DescriptorReport& report) {
  Json verdicts = Json::array();
  for (const std::string& sentence : verdicts_of(report)) verdicts.push_back({{"text", printable(sentence)}});
  return {{"verdicts", std::move(verdicts)}, {"opened", report.opened}, {"closed", report.closed}, {"open", report.open}, {"before", report.before},
          {"before_open", report.before_open}, {"checks", list(report.checks, check_json)}, {"sites", list(report.rows, row_json)}};
}

}  // namespace dwell::files
