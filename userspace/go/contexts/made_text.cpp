// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/contexts/made_text.h"

#include <fmt/core.h>

#include <algorithm>

#include "ui/call_site.h"
#include "ui/escape.h"
#include "ui/words.h"
#include "ui/text_table.h"
#include "ui/values.h"
#include "userspace/base/text.h"

namespace dwell {
namespace {

std::vector<ReportFrame> own_frames(const GoContextRow& row) {
  std::vector<ReportFrame> frames = row.stack.frames();
  return {frames.begin() + static_cast<std::ptrdiff_t>(row.own), frames.end()};
}

std::string table_of(const GoContextsReport& report, std::size_t rows, const TextStyle& style) {
  TextTable table({{"#", 0},
                   {"alive", 0},
                   {"oldest", 1},
                   {"made", 0},
                   {"cancelled", 0},
                   {"collected", 2},
                   {"kind", 0},
                   {"parents", 2},
                   {"at", 0}});
  std::size_t room = table.last_column_width(style);
  for (std::size_t i = 0; i < rows; ++i) {
    const GoContextRow& row = report.rows[i];
    table.add({{fmt::format("{}", i + 1)},
               {count_text(row.alive), row.alive && row.never_cancelled() ? Paint::kWarning : Paint::kPlain},
               {row.alive ? human_duration(row.oldest_ns) : "-"},
               {count_text(row.made)},
               {count_text(row.cancelled)},
               {row.collected ? count_text(row.collected) : "-"},
               {printable(row.kind)},
               {printable(row.parents)},
               {call_site_line(own_frames(row), room)}});
  }
  return table.write(style);
}

// What becomes of those that nobody cancels.
std::string fate(const GoContextRow& row) {
  if (row.kept_by_parent())
    return row.kind == "deadline" ? "their parent keeps them until it ends, or until their deadline"
                                  : "their parent keeps them until it ends";
  return row.kind == "deadline" ? "a timer keeps them until their deadline"
                                : "they are garbage unless something holds them or waits for their end";
}

}  // namespace

std::string made_contexts_text(const GoContextsReport& report, const MadeContextsTextOptions& options) {
  const TextStyle& style = options.style;
  std::uint64_t made = 0, alive = 0;
  for (const GoContextRow& row : report.rows) {
    made += row.made;
    alive += row.alive;
  }
  std::string out =
      "\n" + style.paragraph(Paint::kStrong, fmt::format("Contexts: {} made, {} of them not cancelled",
                                                         count_text(made), count_text(alive)));
  std::size_t rows = std::min(options.sites, report.rows.size());
  if (rows) out += table_of(report, rows, style);
  if (rows < report.rows.size())
    out += style.paragraph(Paint::kDim,
                           fmt::format("{} not shown.", counted(report.rows.size() - rows, "site")));
  for (std::size_t i = 0; i < std::min(options.stacks, rows); ++i) {
    const GoContextRow& row = report.rows[i];
    if (!row.alive) break;
    out += "\n" +
           style.paragraph(Paint::kStrong,
                           fmt::format("#{}  {} alive, {}{}", i + 1, count_text(row.alive),
                                       row.never_cancelled() ? "none was ever cancelled; " : "", fate(row)));
    out += stack_lines(row.stack, row.incomplete, options.frames, style);
  }
  if (report.lost)
    out += style.paragraph(Paint::kWarning,
                           fmt::format("{} found no room in the kernel's tables, and are not counted.",
                                       counted(report.lost, "context")));
  for (const std::string& note : report.notes)
    out += style.paragraph(Paint::kDim, "Note: " + printable(note));
  return out;
}

Json made_contexts_json(const GoContextsReport& report) {
  Json sites = Json::array(), notes = Json::array();
  for (const GoContextRow& row : report.rows)
    sites.push_back({{"kind", text_json(row.kind)},
                     {"parents", text_json(row.parents)},
                     {"alive", row.alive},
                     {"oldest_ns", row.oldest_ns},
                     {"made", row.made},
                     {"cancelled", row.cancelled},
                     {"collected", row.collected},
                     {"cancelled_lived_ns", row.lived_ns},
                     {"cancelled_longest_ns", row.longest_ns},
                     {"never_cancelled", row.never_cancelled()},
                     {"kept_by_parent", row.kept_by_parent()},
                     {"incomplete", row.incomplete.empty() ? Json(nullptr) : text_json(row.incomplete)},
                     {"stack", stack_json(row.stack)}});
  for (const std::string& note : report.notes) notes.push_back(text_json(note));
  return {{"duration_ns", report.duration_ns},
          {"probe_hits", report.probe_hits},
          {"trap_ns", report.trap_ns},
          {"bpf_ns", time_json(report.bpf_ns)},
          {"lost", report.lost},
          {"unknown", report.unknown},
          {"notes", std::move(notes)},
          {"sites", std::move(sites)}};
}

}  // namespace dwell
