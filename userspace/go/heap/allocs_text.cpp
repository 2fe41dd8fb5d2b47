// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/heap/allocs_text.h"

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

std::vector<TextCell> cells_of(const GoAllocRow& row, std::string number, std::string site) {
  return {{std::move(number)},
          {bytes_text(row.inuse_bytes, row.inuse_bytes_error)},
          {grouped(std::llround(row.inuse_objects))},
          {bytes_text(row.alloc_bytes, row.alloc_bytes_error)},
          {grouped(std::llround(row.alloc_objects))},
          {std::move(site)}};
}

}  // namespace

std::string go_allocs_text(const GoAllocsReport& report, const TextStyle& style, std::size_t sites) {
  std::string out = "\n" + style.paragraph(Paint::kStrong,
                                           "Go heap by samples: what was allocated since the recording "
                                           "began, and is in use");
  TextTable table(
      {{"#", 0}, {"in use", 0}, {"objects", 1}, {"allocated", 0}, {"objects", 2}, {"call site", 0}});
  std::size_t room = table.last_column_width(style), rows = std::min(sites, report.rows.size());
  for (std::size_t i = 0; i < rows; ++i)
    table.add(cells_of(report.rows[i], fmt::format("{}", i + 1), call_site_line(report.rows[i].stack, room)));
  std::string rest = rows < report.rows.size()
                         ? fmt::format("total, {} not shown", counted(report.rows.size() - rows, "site"))
                         : "total";
  table.add(cells_of(report.total, "", rest));
  out += table.write(style);
  std::string how =
      fmt::format("estimated from {} samples, of which {} live, after {}; one standard error",
                  report.total.samples, report.total.live_samples, counted(report.collections, "collection"));
  if (report.watched_ns < report.duration_ns * 99 / 100)
    how += fmt::format("; watched {:.1f} % of the time", 100.0 * static_cast<double>(report.watched_ns) /
                                                             static_cast<double>(report.duration_ns));
  out += style.paragraph(Paint::kPlain, how);
  if (report.missed)
    out += style.paragraph(
        Paint::kPlain,
        fmt::format("{} followed another before a look could tell: what was freed in between may count as "
                    "in use where its place was given out again",
                    counted(report.missed, "collection")));
  if (report.lost)
    out += style.paragraph(Paint::kGrew, fmt::format("{} samples are not in what is in use", report.lost));
  for (const std::string& note : report.notes) out += style.paragraph(Paint::kDim, "Note: " + printable(note));
  return out;
}

Json go_allocs_json(const GoAllocsReport& report) {
  auto figures = [](const GoAllocRow& row) {
    return Json{{"inuse_bytes", row.inuse_bytes},
                {"inuse_bytes_error", row.inuse_bytes_error},
                {"inuse_objects", row.inuse_objects},
                {"alloc_bytes", row.alloc_bytes},
                {"alloc_bytes_error", row.alloc_bytes_error},
                {"alloc_objects", row.alloc_objects},
                {"samples", row.samples},
                {"live_samples", row.live_samples}};
  };
  Json rows = Json::array();
  for (const GoAllocRow& row : report.rows) {
    Json one = figures(row);
    one["incomplete"] = row.incomplete.empty() ? Json(nullptr) : Json(printable(row.incomplete));
    one["stack"] = stack_json(row.stack);
    rows.push_back(std::move(one));
  }
  Json notes = Json::array();
  for (const std::string& note : report.notes) notes.push_back(printable(note));
  return {{"duration_ns", report.duration_ns},
          {"watched_ns", report.watched_ns},
          {"windows", report.windows},
          {"lost", report.lost},
          {"collections", report.collections},
          {"missed_collections", report.missed},
          {"total", figures(report.total)},
          {"notes", notes},
          {"sites", rows}};
}

}  // namespace dwell
