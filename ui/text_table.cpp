// SPDX-License-Identifier: Apache-2.0
#include "ui/text_table.h"

#include <algorithm>

#include "ui/text_width.h"

namespace dwell {
namespace {

constexpr std::size_t kGap = 2, kEnoughForAName = 42;

}  // namespace

bool TextTable::says_something(std::size_t column) const {
  return std::any_of(rows_.begin(), rows_.end(), [&](const std::vector<TextCell>& row) {
    return !row[column].text.empty() && row[column].text != "-";
  });
}

TextTable::Layout TextTable::lay_out(const TextStyle& style) const {
  Layout layout;
  std::size_t last = columns_.size() - 1;
  for (std::size_t i = 0; i < last; ++i) {
    std::size_t width = display_width(columns_[i].title);
    for (const std::vector<TextCell>& row : rows_) width = std::max(width, display_width(row[i].text));
    layout.widths.push_back(width);
    if (says_something(i)) layout.shown.push_back(i);
  }
  if (style.columns == 0) return layout;
  std::size_t longest = display_width(columns_[last].title);
  for (const std::vector<TextCell>& row : rows_) longest = std::max(longest, display_width(row[last].text));
  std::size_t wanted = std::min(longest, kEnoughForAName);
  for (;;) {
    std::size_t used = 0;
    for (std::size_t i : layout.shown) used += layout.widths[i] + kGap;
    layout.last_width = used < style.columns ? style.columns - used : 1;
    if (layout.last_width >= wanted) return layout;
    auto goes = std::max_element(layout.shown.begin(), layout.shown.end(), [&](std::size_t a, std::size_t b) {
      return columns_[a].rank < columns_[b].rank;
    });
    if (goes == layout.shown.end() || columns_[*goes].rank == 0) return layout;
    layout.shown.erase(goes);
  }
}

std::size_t TextTable::last_column_width(const TextStyle& style) const { return lay_out(style).last_width; }

std::string TextTable::write(const TextStyle& style) const {
  Layout layout = lay_out(style);
  std::string result;
  auto finish_line = [&](std::string_view last, Paint paint) {
    result += style.paint(paint, layout.last_width ? cut_end(last, layout.last_width) : std::string(last));
    result.erase(result.find_last_not_of(' ') + 1);
    result += '\n';
  };
  for (std::size_t i : layout.shown) {
    result +=
        style.paint(Paint::kDim, pad_left(columns_[i].title, layout.widths[i])) + std::string(kGap, ' ');
  }
  finish_line(columns_.back().title, Paint::kDim);
  for (const std::vector<TextCell>& row : rows_) {
    for (std::size_t i : layout.shown) {
      result += style.paint(row[i].paint, pad_left(row[i].text, layout.widths[i])) + std::string(kGap, ' ');
    }
    finish_line(row.back().text, row.back().paint);
  }
  return result;
}

}  // namespace dwell
