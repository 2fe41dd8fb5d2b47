// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/touched/text.h"

#include <fmt/core.h>

#include <algorithm>
#include <functional>

#include "ui/call_site.h"
#include "ui/escape.h"
#include "ui/text_table.h"
#include "ui/values.h"
#include "ui/words.h"
#include "userspace/base/text.h"
#include "userspace/views/frames.h"

namespace dwell::memory {
namespace {

constexpr std::size_t kFrames = 64;

std::string size_text(std::uint64_t bytes, std::uint64_t error = 0) { return bytes_text(static_cast<double>(bytes), static_cast<double>(error)); }
std::string many(std::uint64_t count) { return grouped(static_cast<std::int64_t>(count)); }

bool is_heap(TouchedKind kind) { return kind == TouchedKind::kHeap; }

std::string verdict_of(const TouchedReport& report) {
  std::string faults = counted(report.faults, "page fault");
  if (!report.looked) return fmt::format("{}; what of that is still in memory is not known.", faults);
  std::string text = fmt::format("{} of memory are resident that were touched in this recording ({}), {} of them where there was none before",
                                 size_text(report.resident), faults, size_text(report.grown));
  return text + ".";
}

std::vector<std::string> notes_of(const TouchedReport& report) {
  std::vector<std::string> notes;
  if (report.weight > 1)
    notes.push_back(fmt::format("Estimated: faults came too fast or there were too many pages, so one page in {} was followed.", many(report.weight)));
  constexpr std::uint64_t kFewBytes = 256 << 10;
  if (report.unseen > std::max(kFewBytes, report.grown / 50))
    notes.push_back(fmt::format("{} more came without a page fault that was seen (MAP_POPULATE, reads by other processes, direct I/O).", size_text(report.unseen)));
  return notes;
}

std::string table_of(const TouchedReport& report, std::size_t rows, const TextStyle& style) {
  TextTable table({{"#", 0}, {"resident", 0}, {"new", 1}, {"faults", 0}, {"kind", 0}, {"touched first at", 0}});
  std::size_t room = table.last_column_width(style);
  for (std::size_t i = 0; i < rows; ++i) {
    const TouchedRow& row = report.rows[i];
    table.add({{fmt::format("{}", i + 1)},
               {size_text(row.resident, row.error)},
               {size_text(row.grown)},
               {many(row.faults)},
               {std::string(name_of(row.kind))},
               {call_site_line(own_part(row.stack), room)}});
  }
  table.add({{""},
             {size_text(report.resident)},
             {size_text(report.grown)},
             {many(report.faults)},
             {""},
             {rows < report.rows.size() ? fmt::format("total, {} not shown", counted(report.rows.size() - rows, "call site")) : "total"}});
  return table.write(style);
}

Json row_json(const TouchedRow& row) {
  return {{"kind", name_of(row.kind)},
          {"faults", row.faults},
          {"resident_bytes", row.resident},
          {"grown_bytes", row.grown},
          {"resident_standard_error_bytes", row.error},
          {"incomplete", row.incomplete.empty() ? Json(nullptr) : Json(printable(row.incomplete))},
          {"stack", stack_json(row.stack)}};
}

Json report_json(const TouchedReport& report) {
  return {{"process", report.process},
          {"faults", report.faults},
          {"looked_at_ns", report.looked ? Json(report.time_ns) : Json(nullptr)},
          {"one_page_in", report.weight},
          {"resident_bytes", report.resident},
          {"grown_bytes", report.grown},
          {"unseen_bytes", report.unseen},
          {"sites", list(report.rows, row_json)}};
}

}  // namespace

namespace {

constexpr std::size_t kMostProcesses = 3;  // of many, in full

std::vector<TouchedReport> those_that_grew_most(std::vector<TouchedReport> reports) {
  if (reports.size() <= kMostProcesses) return reports;
  std::ranges::stable_sort(reports, std::greater<>(), &TouchedReport::grown);
  reports.erase(reports.begin() + kMostProcesses, reports.end());
  return reports;
}

}  // namespace

std::string touched_text(const Recording& recording, const std::vector<TouchedReport>& reports, const SectionStyle& how) {
  const TextStyle& style = how.style;
  std::string out;
  for (const TouchedReport& report : those_that_grew_most(reports)) {
    std::size_t rows = std::min(how.sites, report.rows.size());
    std::string of = recording.processes.size() > 1 ? " of " + process_text(recording.processes[report.process]) : "";
    out += "\n" + style.paragraph(Paint::kStrong, fmt::format("Memory{} by where it was touched first", printable(of)));
    out += style.paragraph(Paint::kPlain, verdict_of(report));
    for (const std::string& note : notes_of(report)) out += style.paragraph(Paint::kPlain, note);
    if (rows) out += table_of(report, rows, style);
    for (std::size_t i = 0; i < std::min(how.stacks, rows) && report.rows[i].resident; ++i) {
      const TouchedRow& row = report.rows[i];
      out += "\n" + style.paragraph(Paint::kStrong, fmt::format("#{}  {} of {}, {}", i + 1, size_text(row.resident, row.error),
                                                                name_of(row.kind), counted(row.faults, "page fault")));
      out += stack_lines(row.stack, row.incomplete, kFrames, style);
    }
  }
  if (reports.size() > kMostProcesses)
    out += "\n" + style.paragraph(Paint::kPlain, fmt::format("Where {} more processes touched memory first: --json.", reports.size() - kMostProcesses));
  return out;
}

std::string touched_sentence(const TouchedReport& report, std::int64_t rss_change) {
  constexpr std::uint64_t kFewBytes = 1 << 20;
  std::uint64_t outside = 0, least = std::max(kFewBytes, static_cast<std::uint64_t>(std::max<std::int64_t>(rss_change, 0)) / 5);
  const TouchedRow* most = nullptr;
  for (const TouchedRow& row : report.rows) {
    if (is_heap(row.kind) || row.kind == TouchedKind::kKinds) continue;
    outside += row.grown;
    if (!most && !row.stack.empty()) most = &row;  // what grew most comes first
  }
  if (rss_change <= 0 || outside < least || !most) return "";
  std::string where = call_site_line(own_part(most->stack), 0);
  return fmt::format("{} of it are outside of allocators' heaps: {} of {} touched first at {}.", size_text(outside),
                     size_text(most->grown, most->error), name_of(most->kind), where);
}

Json touched_json(const std::vector<TouchedReport>& reports) { return list(reports, report_json); }

}  // namespace dwell::memory
