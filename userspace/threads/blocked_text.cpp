// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/blocked_text.h"

#include <fmt/core.h>

#include <algorithm>

#include "ui/call_site.h"
#include "ui/escape.h"
#include "ui/words.h"
#include "ui/text_table.h"
#include "ui/values.h"
#include "userspace/base/text.h"
#include "userspace/views/frames.h"

namespace dwell {
namespace {

constexpr std::size_t kWakers = 6;  // of one site

std::string number(std::uint64_t count) { return grouped(static_cast<std::int64_t>(count)); }

std::string table_of(const std::vector<BlockedReport>& report, std::size_t rows, const TextStyle& style) {
  TextTable table({{"#", 0}, {"blocked", 0}, {"waits", 0}, {"at", 0}});
  std::size_t room = table.last_column_width(style);
  std::uint64_t ns = 0, times = 0;
  for (const BlockedReport& site : report) {
    ns += site.ns;
    times += site.times;
  }
  for (std::size_t i = 0; i < rows; ++i)
    table.add({{fmt::format("{}", i + 1)},
               {human_duration(report[i].ns)},
               {number(report[i].times)},
               {call_site_line(own_part(report[i].stack), room)}});
  table.add(
      {{""},
       {human_duration(ns)},
       {number(times)},
       {rows < report.size() ? fmt::format("total, {} not shown", counted(report.size() - rows, "stack"))
                             : "total"}});
  return table.write(style);
}

std::string waker_line(const WakerReport& waker, std::size_t columns) {
  return waker.kind == WakerKind::kThread ? call_site_line(own_part(waker.stack), columns)
                                          : printable(waker.words);
}

std::string wakers_of(const BlockedReport& site, const TextStyle& style) {
  if (site.ended == 0) return style.paragraph(Paint::kDim, "   never woken up");
  TextTable table({{"", 0}, {"waits", 0}, {"blocked", 0}, {"woken up by", 0}});
  std::size_t room = table.last_column_width(style), rows = std::min(kWakers, site.wakers.size());
  for (std::size_t i = 0; i < rows; ++i) {
    const WakerReport& waker = site.wakers[i];
    table.add({{""}, {number(waker.times)}, {human_duration(waker.ns)}, {waker_line(waker, room)}});
  }
  if (std::size_t rest = site.wakers.size() - rows)
    table.add({{""}, {""}, {""}, {fmt::format("and {} more", rest)}});
  if (std::uint64_t left = site.times - std::min(site.times, site.ended))
    table.add({{""}, {number(left)}, {""}, {"nobody yet"}});
  return table.write(style);
}

Json waker_json(const WakerReport& waker) {
  constexpr const char* kKinds[] = {"unknown", "thread", "process", "kernel", "interrupt"};
  Json json = {{"kind", kKinds[static_cast<std::size_t>(waker.kind)]},
               {"words", waker.words.empty() ? Json(nullptr) : text_json(waker.words)},
               {"ns", waker.ns},
               {"waits", waker.times}};
  if (waker.kind != WakerKind::kThread) return json;
  json["incomplete"] = waker.incomplete.empty() ? Json(nullptr) : text_json(waker.incomplete);
  json["stack"] = stack_json(waker.stack);
  return json;
}

}  // namespace

std::string blocked_text(const std::vector<BlockedReport>& report, const ThreadSitesTextOptions& options) {
  const TextStyle& style = options.style;
  std::size_t rows = std::min(options.sites, report.size());
  std::string out = "\n" + style.paragraph(Paint::kStrong, "Blocked time, added up over threads");
  out += table_of(report, rows, style);
  for (std::size_t i = 0; i < std::min(options.stacks, rows); ++i) {
    const BlockedReport& site = report[i];
    out += "\n" + style.paragraph(Paint::kStrong, fmt::format("#{}  {} in {}", i + 1, human_duration(site.ns),
                                                              counted(site.times, "wait")));
    out += stack_lines(site.stack, site.incomplete, options.frames, style);
    out += wakers_of(site, style);
  }
  return out;
}

Json blocked_json(const std::vector<BlockedReport>& report) {
  Json sites = Json::array();
  for (const BlockedReport& site : report)
    sites.push_back(
        {{"ns", site.ns},
         {"waits", site.times},
         {"ended", site.ended},
         {"incomplete", site.incomplete.empty() ? Json(nullptr) : Json(printable(site.incomplete))},
         {"stack", stack_json(site.stack)},
         {"wakers", list(site.wakers, waker_json)}});
  return sites;
}

}  // namespace dwell
