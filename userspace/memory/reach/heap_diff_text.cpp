// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <algorithm>

#include "ui/escape.h"
#include "ui/text_table.h"
#include "ui/values.h"
#include "ui/words.h"
#include "userspace/base/text.h"
#include "userspace/memory/heap/class_name.h"
#include "userspace/memory/reach/heap_diff.h"

namespace dwell::memory::reach {
namespace {

constexpr std::size_t kRowsInJson = 1000;

std::string class_text(const std::string& type) { return printable(heap::class_name(type, false)); }

std::string what_of(const HeapDiff::Row& row) {
  if (row.type.empty()) return bytes_text(row.usable);
  return (row.held_by_type ? "held by " : "") + class_text(row.type);
}

Json change_json(const BornAndDied& change) {
  return {{"born_blocks", change.born_blocks}, {"born_bytes", change.born_bytes},
          {"died_blocks", change.died_blocks}, {"died_bytes", change.died_bytes}};
}

Json row_json(const HeapDiff::Row& row) {
  Json json = change_json(row.change);
  json["holder"] = printable(row.holder);
  json["class"] = row.type.empty() ? Json(nullptr) : Json(class_text(row.type));
  json["held_by_class"] = row.held_by_type;
  json["usable_bytes"] = row.usable;
  return json;
}

Json size_json(const HeapDiff::Size& size) {
  Json json = change_json(size.change);
  json["from"] = size.from, json["to"] = size.to;
  return json;
}

}  // namespace

std::string diff_text(const HeapDiff& diff, const TextStyle& style, std::size_t rows) {
  std::string out = "\n";
  out += style.paragraph(
      diff.all.net() > 0 ? Paint::kGrew : Paint::kStrong,
      fmt::format("Heap {} in {}: {} in {} blocks born, {} in {} blocks died; {} in {} blocks were there both times.",
                  signed_bytes(static_cast<double>(diff.all.net())), human_duration(diff.apart_ns),
                  bytes_text(diff.all.born_bytes), count_text(diff.all.born_blocks), bytes_text(diff.all.died_bytes),
                  count_text(diff.all.died_blocks), bytes_text(diff.same_bytes), count_text(diff.same_blocks)));
  if (diff.rows.empty()) return out;
  TextTable table({{"change"}, {"born"}, {"blocks", 1}, {"died"}, {"blocks", 1}, {"blocks of"}, {"held by"}});
  for (std::size_t i = 0; i < std::min(rows, diff.rows.size()); ++i) {
    const HeapDiff::Row& row = diff.rows[i];
    table.add({{signed_bytes(static_cast<double>(row.change.net()))},
               {bytes_text(row.change.born_bytes)},
               {count_text(row.change.born_blocks)},
               {bytes_text(row.change.died_bytes)},
               {count_text(row.change.died_blocks)},
               {what_of(row)},
               {printable(row.holder)}});
  }
  return out + table.write(style);
}

Json diff_json(const HeapDiff& diff) {
  Json json = change_json(diff.all);
  json["apart_ns"] = diff.apart_ns;
  json["same_blocks"] = diff.same_blocks, json["same_bytes"] = diff.same_bytes;
  json["rows_in_all"] = diff.rows.size();
  std::vector<HeapDiff::Row> rows(diff.rows.begin(),
                                  diff.rows.begin() + static_cast<std::ptrdiff_t>(std::min(kRowsInJson, diff.rows.size())));
  json["rows"] = list(rows, row_json);
  json["sizes"] = list(diff.sizes, size_json);
  return json;
}

}  // namespace dwell::memory::reach
