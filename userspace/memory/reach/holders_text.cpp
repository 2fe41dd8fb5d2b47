// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/reach/holders_text.h"

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

constexpr std::size_t kDetailed = 3, kGroups = 5, kSharedShown = 5;
constexpr std::size_t kGroupsInJson = 20;

std::string class_of(const std::string& type) { return printable(heap::class_name(type, false)); }

std::uint64_t objects_of(const Holder& holder, const std::string& type) {
  for (const HeldGroup& group : holder.groups)
    if (group.type == type && !group.held_by_type) return group.blocks;
  return 0;
}

// "of Session", "held by 143 Session", "of 48 B".
std::string what_of(const HeldGroup& group, const Holder& holder) {
  if (group.type.empty()) return group.usable ? "of " + bytes_text(group.usable) : "of other sizes";
  if (!group.held_by_type) return "of " + class_of(group.type);
  std::uint64_t objects = objects_of(holder, group.type);
  return objects ? fmt::format("held by {} {}", count_text(objects), class_of(group.type)) : "held by " + class_of(group.type);
}

std::string share_of(std::uint64_t part, std::uint64_t whole) {
  return percent(static_cast<double>(part), static_cast<double>(whole));
}

std::string group_text(const HeldGroup& group, const Holder& holder) {
  return fmt::format("{} in {} {}", share_of(group.bytes, holder.bytes), counted(group.blocks, "block"), what_of(group, holder));
}

class HoldersText {
 public:
  HoldersText(const HolderReport& report, const TextStyle& style, std::size_t rows)
      : report_(report), style_(style), rows_(std::min(rows, report.holders.size())) {}

  std::string write() {
    out_ = "\n";
    if (!report_.failed.empty()) {
      line(Paint::kWarning, fmt::format("Who holds the memory: nothing can be said: {}.", report_.failed));
      return std::move(out_);
    }
    line(Paint::kStrong, fmt::format("Who holds {} in {} live blocks ({}, {})",
                                     bytes_text(report_.live_bytes), count_text(report_.live_blocks),
                                     counted(report_.looks, "look"), human_duration(report_.duration_ns)));
    write_table();
    for (std::size_t i = 0; i < std::min(kDetailed, rows_); ++i) write_detail(report_.holders[i]);
    write_shared();
    if (!report_.unsettled.empty())
      line(Paint::kWarning,
           fmt::format("What nothing was seen to hold may be held all the same: {}.", report_.unsettled));
    if (report_.swapped_pages)
      line(Paint::kWarning, fmt::format("{} are in swap and were not read: what they hold is not known.",
                                        bytes_text(report_.swapped_pages * heap::kPageSize)));
    return std::move(out_);
  }

 private:
  void line(Paint paint, const std::string& text) { out_ += style_.paragraph(paint, text); }

  void write_table() {
    TextTable table({{"retained"}, {"share"}, {"blocks"}, {"held by"}, {"mostly", 1}});
    auto add = [&](const Holder& holder, const std::string& name) {
      table.add({{bytes_text(holder.bytes)},
                 {share_of(holder.bytes, report_.live_bytes)},
                 {count_text(holder.blocks)},
                 {printable(name)},
                 {holder.groups.empty() ? "-" : group_text(holder.groups.front(), holder)}});
    };
    for (std::size_t i = 0; i < rows_; ++i) add(report_.holders[i], report_.holders[i].name);
    Holder rest = report_.others;
    rest.groups.clear();
    for (std::size_t i = rows_; i < report_.holders.size(); ++i)
      rest.bytes += report_.holders[i].bytes, rest.blocks += report_.holders[i].blocks;
    if (rest.blocks) add(rest, fmt::format("{} other places", count_text(report_.all_holders - rows_)));
    if (report_.several.blocks) add(report_.several, std::string(kBySeveral));
    if (report_.leaked.blocks) add(report_.leaked, std::string(kByNothing));
    if (report_.moved.blocks)
      add(report_.moved, report_.unsettled.empty() ? std::string(kByMoved) : "nothing that was seen");
    out_ += table.write(style_);
  }

  void write_detail(const Holder& holder) {
    out_ += '\n';
    line(Paint::kPlain, fmt::format("{} holds {}", printable(holder.name), bytes_text(holder.bytes)));
    for (const HeldThrough& step : holder.path)
      line(Paint::kDim, fmt::format("    through {:#x}, {}{}: {}", step.address, bytes_text(step.usable),
                                    step.type.empty() ? "" : " " + class_of(step.type), bytes_text(step.retained)));
    for (std::size_t i = 0; i < std::min(kGroups, holder.groups.size()); ++i)
      line(Paint::kDim, "    " + group_text(holder.groups[i], holder));
  }

  // Where that is a part of the whole that matters.
  void write_shared() {
    constexpr std::uint64_t kMatters = 20;  // a twentieth of all
    if (report_.several.bytes * kMatters < report_.live_bytes || report_.several.bytes == 0) return;
    out_ += '\n';
    line(Paint::kPlain, fmt::format("{} are held by several at once. The largest parts", bytes_text(report_.several.bytes)));
    for (std::size_t i = 0; i < std::min(kSharedShown, report_.shared.size()); ++i) {
      const SharedBlock& one = report_.shared[i];
      std::string by;
      for (const std::string& name : one.by) by += (by.empty() ? "" : ", ") + printable(name);
      if (one.all_holders > one.by.size()) by += fmt::format(" and {} more", one.all_holders - one.by.size());
      line(Paint::kDim, fmt::format("    {} through {:#x}, {}{}, held by {}", bytes_text(one.block.retained), one.block.address,
                                    bytes_text(one.block.usable), one.block.type.empty() ? "" : " " + class_of(one.block.type), by));
    }
  }

  const HolderReport& report_;
  const TextStyle& style_;
  std::size_t rows_;
  std::string out_;
};

Json groups_json(const Holder& holder) {
  Json groups = Json::array();
  for (std::size_t i = 0; i < std::min(kGroupsInJson, holder.groups.size()); ++i) {
    const HeldGroup& group = holder.groups[i];
    groups.push_back({{"class", group.type.empty() ? Json(nullptr) : Json(class_of(group.type))},
                      {"held_by_class", group.held_by_type},
                      {"usable_bytes", group.usable},
                      {"blocks", group.blocks},
                      {"bytes", group.bytes}});
  }
  return groups;
}

Json sums_json(const Holder& holder) {
  return {{"retained_bytes", holder.bytes}, {"retained_blocks", holder.blocks}, {"groups", groups_json(holder)}};
}

Json step_json(const HeldThrough& step) {
  return {{"address", step.address},
          {"usable_bytes", step.usable},
          {"retained_bytes", step.retained},
          {"class", step.type.empty() ? Json(nullptr) : Json(class_of(step.type))}};
}

Json holder_json(const Holder& holder) {
  Json json = sums_json(holder);
  json["name"] = printable(holder.name);
  json["kind"] = name_of(holder.root.kind);
  json["address"] = holder.root.address;
  json["tid"] = holder.root.tid;
  json["path"] = list(holder.path, step_json);
  return json;
}

Json shared_json(const SharedBlock& shared) {
  Json json = step_json(shared.block);
  Json by = Json::array();
  for (const std::string& name : shared.by) by.push_back(printable(name));
  json["held_by"] = std::move(by);
  json["places"] = shared.all_holders;
  return json;
}

}  // namespace

std::string holders_text(const HolderReport& report, const TextStyle& style, std::size_t rows) {
  return HoldersText(report, style, rows).write();
}

Json holders_json(const HolderReport& report) {
  return {{"failed", report.failed.empty() ? Json(nullptr) : Json(report.failed)},
          {"live_blocks", report.live_blocks},
          {"live_bytes", report.live_bytes},
          {"pointers", report.edges},
          {"looks", report.looks},
          {"settled", report.unsettled.empty()},
          {"unsettled_because", report.unsettled.empty() ? Json(nullptr) : Json(report.unsettled)},
          {"duration_ns", report.duration_ns},
          {"bytes_read", report.bytes_read},
          {"swapped_pages", report.swapped_pages},
          {"places", report.all_holders},
          {"holders", list(report.holders, holder_json)},
          {"by_several", sums_json(report.several)},
          {"shared", list(report.shared, shared_json)},
          {"by_others", sums_json(report.others)},
          {"leaked", sums_json(report.leaked)},
          {"moved", sums_json(report.moved)}};
}

}  // namespace dwell::memory::reach
