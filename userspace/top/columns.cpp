// SPDX-License-Identifier: Apache-2.0
#include "userspace/top/columns.h"

#include <algorithm>

#include "ui/sparkline.h"
#include "ui/text_width.h"
#include "ui/words.h"

namespace dwell::top {
namespace {

constexpr std::size_t kWide = 110, kGap = 2, kFewestForName = 24;
constexpr std::size_t kNarrowCurve = 9, kWideCurve = 16;
constexpr double kFewBytes = 1024;  // a minute: less is no growth worth a colour

// As many callers as there is room for. What the line begins with is what matters, and its line number at its end.
std::string fitted(const std::string& name, std::size_t columns) {
  constexpr std::string_view kCalledBy = " ← ";
  if (display_width(name) <= columns) return name;
  std::size_t end = name.rfind(kCalledBy);
  while (end != std::string::npos && end > 0 && display_width(std::string_view(name).substr(0, end)) > columns) end = name.rfind(kCalledBy, end - 1);
  if (end != std::string::npos) return name.substr(0, end);
  std::string first = name.substr(0, name.find(kCalledBy));
  std::size_t place = first.find(" (");
  if (place == std::string::npos) return cut_middle(first, columns);
  constexpr std::size_t kFewestForPlace = 14;
  std::size_t function = display_width(std::string_view(first).substr(0, place + 1));
  if (function + kFewestForPlace <= columns) return first.substr(0, place + 1) + cut_middle(std::string_view(first).substr(place + 1), columns - function);
  return cut_middle(first, columns);
}

}  // namespace

std::string per_minute(const std::optional<double>& rate) { return rate ? signed_bytes(*rate) + "/min" : "-"; }

SiteColumns::SiteColumns(const Model& model, SortBy sort, std::size_t columns)
    : model_(model), sort_(sort), curve_width_(columns >= kWide ? kWideCurve : kNarrowCurve) {
  bool marked = !model.marks_ns.empty();
  columns_ = {{SortBy::kRate, "growth/min", 11, true},
              {SortBy::kLive, "live", model.estimated ? std::size_t{18} : std::size_t{9}, true},
              {SortBy::kSinceMark, "since mark", 11, marked},
              {SortBy::kBlocks, "blocks", 9, !marked || columns >= kWide}};
  auto taken = [&] {
    std::size_t sum = curve_width_ + kGap;
    for (const Column& one : columns_)
      if (one.shown) sum += one.width + kGap;
    return sum;
  };
  if (columns < taken() + kFewestForName) columns_[3].shown = false;
  if (columns < taken() + kFewestForName) curve_width_ = 0;
  name_width_ = columns > taken() ? columns - taken() : kFewestForName;
}

Line SiteColumns::titles() const {
  Line line;
  auto title = [&](const char* text, SortBy sort, std::size_t width) {
    line.add(pad_left(text, width), sort == sort_ ? Paint::kStrong : Paint::kDim);
    line.add(std::string(kGap, ' '));
  };
  title(columns_[0].title, SortBy::kRate, columns_[0].width);
  if (curve_width_) line.add(pad_right(curve_width_ == kWideCurve ? "live over time" : "over time", curve_width_), Paint::kDim).add(std::string(kGap, ' '));
  for (std::size_t i = 1; i < columns_.size(); ++i)
    if (columns_[i].shown) title(columns_[i].title, columns_[i].sort, columns_[i].width);
  line.add("call site", sort_ == SortBy::kName ? Paint::kStrong : Paint::kDim);
  return line;
}

Line SiteColumns::row(const SiteRow& row) const {
  Line line;
  bool grows = row.rate && *row.rate >= kFewBytes;
  line.add(pad_left(cell(row, SortBy::kRate), columns_[0].width), grows ? Paint::kGrew : Paint::kPlain).add(std::string(kGap, ' '));
  if (curve_width_) line.add(pad_right(curve(row), curve_width_), grows ? Paint::kGrew : Paint::kDim).add(std::string(kGap, ' '));
  for (std::size_t i = 1; i < columns_.size(); ++i) {
    if (!columns_[i].shown) continue;
    line.add(pad_left(cell(row, columns_[i].sort), columns_[i].width), i == 1 ? Paint::kStrong : Paint::kPlain).add(std::string(kGap, ' '));
  }
  std::string kind = row.kind.empty() ? "" : " [" + row.kind + "]";
  line.add(fitted(row.name, name_width_ > kind.size() ? name_width_ - kind.size() : name_width_));
  line.add(kind, Paint::kDim);
  return line;
}

std::string SiteColumns::cell(const SiteRow& row, SortBy column) const {
  switch (column) {
    case SortBy::kRate: return rate_text(row.rate);
    case SortBy::kLive: return row.live_text;
    case SortBy::kSinceMark: return row.since_mark ? signed_bytes(*row.since_mark) : "-";
    case SortBy::kBlocks: return row.blocks ? count_text(*row.blocks) : "-";
    case SortBy::kName: return row.name;
  }
  return "";
}

std::string SiteColumns::curve(const SiteRow& row) const {
  const std::vector<std::uint64_t>& times_ns = row.curve_times_ns.empty() ? model_.moments_ns : row.curve_times_ns;
  if (row.curve.size() < 2 || row.curve.size() != times_ns.size()) return "";
  double high = std::max(*std::ranges::max_element(row.curve), 0.0);
  return sparkline(times_ns, row.curve, model_.from_ns, model_.to_ns, 0, high, curve_width_);
}

}  // namespace dwell::top
