// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/sites_text.h"

#include <fmt/core.h>

#include <algorithm>

#include "ui/call_site.h"
#include "ui/escape.h"
#include "ui/words.h"
#include "ui/text_table.h"
#include "ui/text_width.h"
#include "ui/values.h"
#include "userspace/base/text.h"
#include "userspace/views/frames.h"

namespace dwell {
namespace {

// Above the functions that every thread is made by.
std::vector<ReportFrame> creator_of(const std::vector<ReportFrame>& stack) {
  auto makes_threads = [](const ReportFrame& frame) {
    for (std::string_view name : {"clone", "create_thread", "pthread_create", "std::thread", "start_thread"})
      if (frame.function.find(name) != std::string::npos) return true;
    return false;
  };
  auto creator = std::ranges::find_if_not(stack, makes_threads);
  return creator == stack.end() ? stack : std::vector<ReportFrame>(creator, stack.end());
}

constexpr std::size_t kRoutineColumns = 24, kAllColumns = 4096;

std::string routine_of(const ThreadSiteReport& site, std::size_t columns) {
  return site.routine ? cut_middle(printable(bare_name(site.routine->function)), columns) : "[unknown]";
}

std::string number(std::int64_t count) { return grouped(count); }

}  // namespace

std::string thread_sites_text(const ThreadSitesReport& report, const ThreadSitesTextOptions& options) {
  const TextStyle& style = options.style;
  if (report.sites.empty()) return "\n" + style.paragraph(Paint::kPlain, "No thread was created while it was recorded.");
  std::string out = "\n" + style.paragraph(Paint::kStrong, "Threads by the call site that created them, most alive first");
  TextTable table({{"#", 0},
                   {"alive", 0},
                   {"never joined", 0},
                   {"created", 1},
                   {"ended", 2},
                   {"growth/min", 1},
                   {"oldest", 2},
                   {"runs", 1},
                   {"creating site", 0}});
  std::size_t room = table.last_column_width(style), rows = std::min(options.sites, report.sites.size());
  for (std::size_t i = 0; i < rows; ++i) {
    const ThreadSiteReport& site = report.sites[i];
    table.add({{fmt::format("{}", i + 1)},
               {number(static_cast<std::int64_t>(site.counts.alive()))},
               {number(site.counts.unjoined)},
               {number(static_cast<std::int64_t>(site.counts.created))},
               {number(static_cast<std::int64_t>(site.counts.ended))},
               {site.growth_per_minute ? signed_count(*site.growth_per_minute) : "-"},
               {age_text(site.oldest_age_ns)},
               {routine_of(site, kRoutineColumns)},
               {call_site_line(creator_of(site.stack), room)}});
  }
  table.add({{""},
             {number(static_cast<std::int64_t>(report.total.alive()))},
             {number(report.total.unjoined)},
             {number(static_cast<std::int64_t>(report.total.created))},
             {number(static_cast<std::int64_t>(report.total.ended))},
             {"-"},
             {"-"},
             {""},
             {rows < report.sites.size()
                  ? fmt::format("total, {} not shown", counted(report.sites.size() - rows, "site"))
                  : "total"}});
  out += table.write(style);
  for (std::size_t i = 0; i < std::min(options.stacks, rows); ++i) {
    const ThreadSiteReport& site = report.sites[i];
    out += "\n" + style.paragraph(Paint::kStrong,
                                  fmt::format("#{}  {} alive, {} never joined, run {}", i + 1,
                                              number(static_cast<std::int64_t>(site.counts.alive())),
                                              number(site.counts.unjoined), routine_of(site, kAllColumns)));
    out += stack_lines(site.stack, site.incomplete, options.frames, style);
  }
  return out;
}

std::string looks_text(const std::vector<LookSummary>& looks, const TextStyle& style) {
  if (looks.empty()) return "";
  const LookSummary& last = looks.back();
  std::string text = fmt::format("{}, in the last of {}", counted(last.threads, "thread"), counted(looks.size(), "snapshot"));
  if (last.stuck == 0) return "\n" + style.paragraph(Paint::kPlain, text + ": none stuck for good");
  auto first = looks.end();
  while (first != looks.begin() && (first - 1)->stuck > 0) --first;
  text += fmt::format(": {} of them stuck for good, since the snapshot at {}", last.stuck,
                      human_duration(first->time_ns));
  return "\n" + style.paragraph(Paint::kGrew, text);
}

Json thread_sites_json(const ThreadSitesReport& report) {
  Json sites = Json::array();
  for (const ThreadSiteReport& site : report.sites) {
    sites.push_back(
        {{"process", site.process},
         {"created", site.counts.created},
         {"ended", site.counts.ended},
         {"alive", site.counts.alive()},
         {"unjoined", site.counts.unjoined},
         {"growth_per_minute", site.growth_per_minute ? Json(*site.growth_per_minute) : Json(nullptr)},
         {"oldest_age_ns", site.oldest_age_ns ? Json(*site.oldest_age_ns) : Json(nullptr)},
         {"incomplete", site.incomplete.empty() ? Json(nullptr) : Json(printable(site.incomplete))},
         {"routine", site.routine ? frame_json(*site.routine) : Json(nullptr)},
         {"stack", stack_json(site.stack)}});
  }
  return sites;
}

Json looks_json(const std::vector<LookSummary>& looks) {
  Json list = Json::array();
  for (const LookSummary& look : looks)
    list.push_back({{"time_ns", look.time_ns}, {"threads", look.threads}, {"stuck", look.stuck}});
  return list;
}

}  // namespace dwell
