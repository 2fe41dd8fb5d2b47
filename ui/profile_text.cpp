// SPDX-License-Identifier: Apache-2.0
#include "ui/profile_text.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "ui/call_site.h"
#include "ui/escape.h"
#include "ui/json_parts.h"
#include "ui/text_table.h"
#include "ui/values.h"
#include "ui/words.h"
#include "userspace/views/frames.h"

namespace dwell {
namespace {

struct Row {
  std::vector<ReportFrame> stack;
  std::vector<std::int64_t> values;
};

std::string kind_of(const ProfileSample& sample) {
  for (const ProfileLabel& label : sample.labels)
    if (label.key == "kind") return label.text;
  return "";
}

std::vector<ReportFrame> frames_of(const Profile& profile, const ProfileSample& sample) {
  std::vector<ReportFrame> frames;
  for (std::uint32_t index : sample.stack) {
    const ProfileLocation& location = profile.locations[index];
    for (std::size_t i = 0; i < location.lines.size(); ++i) {
      const ProfileLine& line = location.lines[i];
      ReportFrame frame;
      frame.function = line.function;
      frame.file = line.file;
      frame.line = line.line;
      if (location.mapping >= 0) frame.module = profile.mappings[static_cast<std::size_t>(location.mapping)].path;
      frame.offset = location.address;
      frame.named = true;
      frame.inlined = i + 1 < location.lines.size();
      frames.push_back(std::move(frame));
    }
  }
  return frames;
}

// By kind, each stack that reads the same once, the largest change first.
std::map<std::string, std::vector<Row>> rows_of(const Profile& profile) {
  using Reading = std::vector<std::pair<std::string, std::uint32_t>>;  // function and line, leaf first
  std::map<std::string, std::map<Reading, Row>> by_kind;
  for (const ProfileSample& sample : profile.samples) {
    std::vector<ReportFrame> frames = frames_of(profile, sample);
    Reading reading;
    for (const ReportFrame& frame : frames) reading.emplace_back(frame.function, frame.line);
    Row& row = by_kind[kind_of(sample)][std::move(reading)];
    if (row.values.empty()) row = {std::move(frames), std::vector<std::int64_t>(profile.sample_types.size())};
    for (std::size_t i = 0; i < row.values.size(); ++i) row.values[i] += sample.values[i];
  }
  std::map<std::string, std::vector<Row>> sorted;
  for (auto& [kind, rows] : by_kind) {
    std::vector<Row>& list = sorted[kind];
    for (auto& [reading, row] : rows) list.push_back(std::move(row));
    std::ranges::stable_sort(list, std::greater<>(), [&](const Row& row) { return std::abs(row.values[profile.default_sample_type]); });
  }
  return sorted;
}

std::string table_of(const Profile& profile, const std::vector<Row>& rows, const ProfileTextOptions& options) {
  std::vector<TextColumn> columns = {{"#", 0}};
  int rank = 0;
  for (const ProfileValueType& type : profile.sample_types) columns.push_back({type.type, rank++});
  columns.push_back({"at", 0});
  TextTable table(columns);
  std::size_t room = table.last_column_width(options.style), shown = std::min(options.sites, rows.size());
  auto cells_of = [&](const std::string& first, const std::vector<std::int64_t>& values, const std::string& last) {
    std::vector<TextCell> cells = {{first}};
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::string& unit = profile.sample_types[i].unit;
      cells.push_back({options.signed_values ? format_signed(values[i], unit) : format_value(values[i], unit)});
    }
    cells.push_back({last});
    return cells;
  };
  std::vector<std::int64_t> sum(profile.sample_types.size());
  for (const Row& row : rows)
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += row.values[i];
  CallSiteNames names;
  for (std::size_t i = 0; i < shown; ++i) names.add(rows[i].stack);
  for (std::size_t i = 0; i < shown; ++i)
    table.add(cells_of(fmt::format("{}", i + 1), rows[i].values, names.line(own_part(rows[i].stack), room)));
  std::size_t hidden = rows.size() - shown;
  table.add(cells_of("", sum, hidden ? fmt::format("total, {} not shown", counted(hidden, "call site")) : "total"));
  return table.write(options.style);
}

}  // namespace

std::string profile_text(const Profile& profile, const ProfileTextOptions& options) {
  std::string text = options.style.paint(Paint::kStrong, printable(profile.title)) + "\n";
  std::map<std::string, std::vector<Row>> kinds = rows_of(profile);
  if (kinds.empty()) return text + "\nNo call site has anything of it.\n";
  for (const auto& [kind, rows] : kinds) {
    text += "\n";
    if (!kind.empty()) text += options.style.paint(Paint::kStrong, printable(kind)) + "\n";
    text += table_of(profile, rows, options);
  }
  for (const std::string& comment : profile.comments)
    text += "\n" + options.style.paragraph(Paint::kWarning, "note: " + printable(comment), 2);
  return text;
}

std::string profile_json(const Profile& profile) {
  Json whole = {{"title", printable(profile.title)}};
  Json types = Json::array();
  for (const ProfileValueType& type : profile.sample_types) types.push_back({{"type", type.type}, {"unit", type.unit}});
  whole["sample_types"] = std::move(types);
  Json sites = Json::array();
  for (const auto& [kind, rows] : rows_of(profile)) {
    for (const Row& row : rows) {
      Json values = Json::object();
      for (std::size_t i = 0; i < row.values.size(); ++i) values[profile.sample_types[i].type] = row.values[i];
      sites.push_back({{"kind", kind.empty() ? Json(nullptr) : Json(kind)},
                       {"values", std::move(values)},
                       {"stack", stack_json(row.stack)}});
    }
  }
  whole["sites"] = std::move(sites);
  Json notes = Json::array();
  for (const std::string& comment : profile.comments) notes.push_back(printable(comment));
  whole["notes"] = std::move(notes);
  return json_text(whole);
}

}  // namespace dwell
