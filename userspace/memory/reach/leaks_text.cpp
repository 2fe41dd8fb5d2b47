// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/reach/leaks_text.h"

#include <fmt/core.h>

#include <algorithm>

#include "ui/escape.h"
#include "ui/text_table.h"
#include "ui/values.h"
#include "ui/words.h"
#include "userspace/base/text.h"
#include "userspace/memory/heap/class_name.h"

namespace dwell::memory::reach {
namespace {


std::string what_of(const LeakGroup& group) {
  return group.is_class ? heap::class_name(group.what, group.array) : group.what;
}

}  // namespace

std::string leaks_text(const LeakReport& report, const TextStyle& style, std::size_t rows) {
  std::string out = "\n";
  std::string looks = fmt::format("{}, {}", counted(report.looks, "look"), human_duration(report.duration_ns));
  if (!report.unsettled.empty())
    return out + style.paragraph(Paint::kWarning, fmt::format("Leaks: nothing can be said: {} ({}).", report.unsettled, looks));
  if (report.lost_blocks == 0)
    return out + style.paragraph(Paint::kStrong, fmt::format("No leak: every one of {} live blocks can be reached ({}).",
                                                             count_text(report.live_blocks), looks));
  out += style.paragraph(Paint::kGrew, fmt::format("Leaked: {} in {} blocks that nothing points to any more ({}).",
                                                   bytes_text(report.lost_bytes), count_text(report.lost_blocks), looks));
  TextTable table({{"leaked"}, {"blocks"}, {"size"}, {"holding", 1}, {"blocks held", 1}, {"first at", 2}, {"what"}});
  for (std::size_t i = 0; i < std::min(rows, report.groups.size()); ++i) {
    const LeakGroup& group = report.groups[i];
    table.add({{bytes_text(group.bytes + group.held_bytes)},
               {count_text(group.blocks)},
               {bytes_text(group.usable)},
               {group.held_bytes ? bytes_text(group.held_bytes) : "-"},
               {group.held_blocks ? count_text(group.held_blocks) : "-"},
               {fmt::format("{:#x}", group.addresses.front())},
               {printable(what_of(group))}});
  }
  return out + table.write(style);
}

Json leaks_json(const LeakReport& report) {
  auto group_json = [](const LeakGroup& group) -> Json {
    return {{"what", printable(what_of(group))}, {"is_class", group.is_class},       {"usable_bytes", group.usable},
            {"blocks", group.blocks},            {"bytes", group.bytes},             {"held_blocks", group.held_blocks},
            {"held_bytes", group.held_bytes},    {"first_addresses", group.addresses}};
  };
  Json groups = Json::array();
  for (const LeakGroup& group : report.groups) groups.push_back(group_json(group));
  return {{"settled", report.unsettled.empty()},
          {"unsettled_because", report.unsettled.empty() ? Json(nullptr) : Json(report.unsettled)},
          {"looks", report.looks},
          {"live_blocks", report.live_blocks},
          {"live_bytes", report.live_bytes},
          {"leaked_blocks", report.lost_blocks},
          {"leaked_bytes", report.lost_bytes},
          {"pointers", report.edges},
          {"duration_ns", report.duration_ns},
          {"bytes_read", report.bytes_read},
          {"groups", groups}};
}

}  // namespace dwell::memory::reach
