// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/waits/parks_text.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "ui/call_site.h"
#include "ui/escape.h"
#include "ui/words.h"
#include "ui/text_table.h"
#include "ui/values.h"
#include "userspace/base/text.h"

namespace dwell {
namespace {

constexpr double kSlows = 0.05;  // of the CPU time

std::string with_error(std::string value, double of, double error) {
  if (error <= 0 || of <= 0) return value;
  return fmt::format("{} ±{:.0f} %", value, std::min(100 * error / of, 100.0));
}

std::string duration(double ns) { return human_duration(static_cast<std::uint64_t>(std::max(ns, 0.0))); }
// A wait that is under way counts as one, wherever it began.
double waits_of(const GoParkRow& row) { return row.count + static_cast<double>(row.before); }

std::string watched_text(const GoParksReport& report) {
  if (report.watched_ns + report.watched_ns / 1000 >= report.duration_ns)
    return "watched all the time: nothing is estimated";
  return fmt::format(
      "watched in {}, {:.1f} % of the time; figures are estimates for all of it, with one standard error",
      counted(report.windows, "window"),
      100.0 * static_cast<double>(report.watched_ns) / static_cast<double>(report.duration_ns));
}

std::string table_of(const std::vector<const GoParkRow*>& rows, bool locks,
                     const GoParksTextOptions& options) {
  std::vector<TextColumn> columns = {{"#", 0},    {"waited", 0},  {"waits", 0},
                                     {"mean", 1}, {"longest", 2}, {"waiting", 1}};
  if (locks) columns.push_back({"contended", 1});
  columns.push_back({"for", 0});
  columns.push_back({"at", 0});
  TextTable table(columns);
  std::size_t room = table.last_column_width(options.style), shown = std::min(options.sites, rows.size());
  for (std::size_t i = 0; i < shown; ++i) {
    const GoParkRow& row = *rows[i];
    std::vector<TextCell> cells = {{fmt::format("{}", i + 1)},
                                   {with_error(duration(row.ns), row.ns, row.ns_error)},
                                   {with_error(count_text(waits_of(row)), row.count, row.count_error)},
                                   {waits_of(row) > 0 ? duration(row.ns / waits_of(row)) : "-"},
                                   {duration(static_cast<double>(row.max_ns))},
                                   {count_text(static_cast<double>(row.still))}};
    if (locks) cells.push_back({row.contended > 0 ? count_text(row.contended) : "-"});
    cells.push_back({printable(row.reason)});
    std::vector<ReportFrame> own = row.stack.frames();
    own.erase(own.begin(), own.begin() + static_cast<std::ptrdiff_t>(row.own));
    std::erase_if(own, [](const ReportFrame& frame) { return frame.function == "runtime.goexit"; });
    cells.push_back({call_site_line(own, room)});
    table.add(cells);
  }
  std::string out = table.write(options.style);
  if (shown < rows.size()) out += fmt::format("{} not shown\n", counted(rows.size() - shown, "site"));
  return out;
}

}  // namespace

std::string go_parks_text(const GoParksReport& report, const GoParksTextOptions& options) {
  const TextStyle& style = options.style;
  std::vector<const GoParkRow*> locks, others;
  double ns = 0;
  for (const GoParkRow& row : report.rows) {
    if (row.of_runtime) continue;
    (row.is_lock ? locks : others).push_back(&row);
    if (row.is_lock) ns += row.ns;
  }
  std::string out =
      "\n" + style.paragraph(Paint::kStrong, fmt::format("Goroutines waited {} for locks", duration(ns)));
  if (!locks.empty()) out += table_of(locks, true, options);
  out += "\n" + style.paragraph(Paint::kStrong, "Other waits of goroutines");
  out += table_of(others, false, options);
  out += style.paragraph(Paint::kPlain, watched_text(report));
  if (report.windows > 1 && report.probe_share() > kSlows)
    out += style.paragraph(
        Paint::kPlain,
        fmt::format("in the windows the probes took {:.0f} % of its CPU time: goroutines that do little but "
                    "switch did so less often then, and their counts are too low",
                    100 * report.probe_share()));
  if (report.lost)
    out += style.paragraph(
        Paint::kGrew,
        fmt::format("{} waits are not counted: too many stacks or goroutines at once", report.lost));
  for (const std::string& note : report.notes) out += style.paragraph(Paint::kDim, "Note: " + printable(note));
  return out;
}

Json go_parks_json(const GoParksReport& report) {
  Json rows = Json::array();
  for (const GoParkRow& row : report.rows) {
    rows.push_back({{"reason", printable(row.reason)},
                    {"lock", row.is_lock},
                    {"of_runtime", row.of_runtime},
                    {"ns", row.ns},
                    {"ns_error", row.ns_error},
                    {"waits", row.count},
                    {"waits_error", row.count_error},
                    {"counted", row.counted},
                    {"waiting_at_start", row.before},
                    {"waiting_at_end", row.still},
                    {"longest_ns", row.max_ns},
                    {"contended", row.contended},
                    {"queued", row.queued},
                    {"queued_ns", row.queued_ns},
                    {"incomplete", row.incomplete.empty() ? Json(nullptr) : Json(printable(row.incomplete))},
                    {"stack", stack_json(row.stack)}});
  }
  Json notes = Json::array();
  for (const std::string& note : report.notes) notes.push_back(printable(note));
  return {{"duration_ns", report.duration_ns},
          {"watched_ns", report.watched_ns},
          {"windows", report.windows},
          {"probe_hits", report.probe_hits},
          {"trap_ns", report.trap_ns},
          {"bpf_ns", time_json(report.bpf_ns)},
          {"probe_share_in_windows", report.probe_share()},
          {"lost", report.lost},
          {"notes", notes},
          {"sites", rows}};
}

}  // namespace dwell
