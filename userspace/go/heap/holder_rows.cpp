// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/heap/holder_rows.h"

#include <fmt/core.h>

#include <algorithm>

#include "ui/escape.h"
#include "ui/text_table.h"
#include "ui/text_width.h"
#include "ui/values.h"
#include "ui/words.h"
#include "userspace/base/text.h"
#include "userspace/go/code/data_users.h"
#include "userspace/go/code/places.h"
#include "userspace/go/goroutines/json.h"

namespace dwell {
namespace {

constexpr const char* kKinds[] = {"global", "frame", "timers", "finalizers"};

std::string length_text(const GoHolderRow& row) {
  if (row.map_length > row.slice_length) return fmt::format("map {}", count_text(row.map_length));
  return row.slice_length ? fmt::format("slice {}", count_text(row.slice_length)) : "-";
}

}  // namespace

std::vector<GoHolderRow> holder_rows(const GoRuntime& runtime, const std::vector<GoHolder>& holders) {
  std::vector<std::uint64_t> globals;
  for (const GoHolder& holder : holders)
    if (holder.kind == GoHolderKind::kGlobal) globals.push_back(holder.address);
  DataUsers users = users_of_variables(runtime, globals, 1);
  std::vector<GoHolderRow> rows;
  for (const GoHolder& holder : holders) {
    GoHolderRow& row = rows.emplace_back();
    row.kind = holder.kind;
    row.bytes = holder.bytes;
    row.objects = holder.objects;
    row.map_length = holder.map_length;
    row.slice_length = holder.slice_length;
    row.goroutines = holder.goroutines;
    row.goroutine = holder.goroutine;
    if (holder.kind == GoHolderKind::kGlobal) {
      row.address = holder.address;
      row.name = variable_name(runtime, holder.address);
      if (const std::vector<DataUser>& of = users[holder.address]; !of.empty())
        row.place = of[0].place, row.fills = of[0].fills;
    } else if (holder.kind == GoHolderKind::kFrame) {
      std::vector<GoCall> calls = runtime.frames().calls_at(holder.pc, holder.pc != holder.address);
      if (const GoCall* own = own_call(calls)) row.place = *own;
    }
  }
  return rows;
}

std::string holder_text(const GoHolderRow& row) {
  if (row.kind == GoHolderKind::kTimers) return "pending timers";
  if (row.kind == GoHolderKind::kFinalizers) return "finalizers";
  if (row.kind == GoHolderKind::kFrame) {
    std::string where = row.place.function.empty() ? "a function that is not known" : place_text(row.place);
    return row.goroutines == 1
               ? fmt::format("the frame of {} in goroutine {}", where, row.goroutine)
               : fmt::format("frames of {} in {}", where, counted(row.goroutines, "goroutine"));
  }
  std::string text = row.name.empty() ? fmt::format("the global variable at 0x{:x}", row.address)
                                      : "the global variable " + row.name;
  if (!row.place.function.empty())
    text += fmt::format(", {} at {}", row.fills ? "filled" : "used", place_text(row.place));
  return text;
}

std::string holders_text(const std::vector<GoHolderRow>& rows, std::uint64_t reached_bytes, std::size_t most,
                         const TextStyle& style) {
  std::string out =
      "\n" + style.paragraph(Paint::kStrong, fmt::format("Who holds the heap: {} that something leads to",
                                                         human_bytes(static_cast<double>(reached_bytes))));
  TextTable table({{"#"}, {"held"}, {"share"}, {"objects", 2}, {"length", 1}, {"by"}});
  std::size_t width = table.last_column_width(style);
  constexpr std::uint64_t kPartShown = 200;  // what holds less is left out
  for (std::size_t i = 0; i < std::min(most, rows.size()); ++i) {
    const GoHolderRow& row = rows[i];
    if (i && row.bytes * kPartShown < reached_bytes) break;
    std::string by = printable(holder_text(row));
    table.add(
        {{std::to_string(i + 1)},
         {human_bytes(static_cast<double>(row.bytes))},
         {percent(static_cast<double>(row.bytes), static_cast<double>(std::max(reached_bytes, row.bytes)))},
         {grouped(static_cast<std::int64_t>(row.objects))},
         {length_text(row)},
         {width ? cut_end(by, width) : by}});
  }
  out += table.write(style);
  return out + style.paragraph(Paint::kDim,
                               "What several lead to counts for one: global variables by address, then "
                               "frames from where a goroutine "
                               "begins, then timers, then finalizers.");
}

Json holders_json(const std::vector<GoHolderRow>& rows) {
  Json list = Json::array();
  for (const GoHolderRow& row : rows)
    list.push_back({{"kind", kKinds[static_cast<std::size_t>(row.kind)]},
                    {"name", row.name.empty() ? Json(nullptr) : Json(printable(row.name))},
                    {"address", row.address ? Json(row.address) : Json(nullptr)},
                    {"place", row.place.function.empty() ? Json(nullptr) : go_call_json(row.place)},
                    {"fills", row.fills},
                    {"bytes", row.bytes},
                    {"objects", row.objects},
                    {"map_length", row.map_length},
                    {"slice_length", row.slice_length},
                    {"goroutines", row.goroutines},
                    {"goroutine", row.goroutine ? Json(row.goroutine) : Json(nullptr)}});
  return list;
}

}  // namespace dwell
