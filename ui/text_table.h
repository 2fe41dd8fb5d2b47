// SPDX-License-Identifier: Apache-2.0
// TextTable: aligned columns that fit the width. What does not fit goes in order of rank, and the last
// column takes what room is left.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "ui/text_style.h"

namespace dwell {

struct TextColumn {
  std::string title;
  int rank = 0;  // the highest rank goes first when the width is small; 0 always stays
};

struct TextCell {
  std::string text;  // printable
  Paint paint = Paint::kPlain;
};

class TextTable {
 public:
  // All columns but the last are aligned right. The last one is given what its longest text needs, or
  // enough for a name, before other columns are.
  explicit TextTable(std::vector<TextColumn> columns) : columns_(std::move(columns)) {}

  void add(std::vector<TextCell> cells) { rows_.push_back(std::move(cells)); }
  // Columns in which every row is empty or "-" are left out.
  std::string write(const TextStyle& style) const;

  // How wide the last column may be, for rows that fill it as they like.
  std::size_t last_column_width(const TextStyle& style) const;

 private:
  struct Layout {
    std::vector<std::size_t> shown;   // indices of columns, the last one excluded
    std::vector<std::size_t> widths;  // by column
    std::size_t last_width = 0;       // 0: no limit
  };
  Layout lay_out(const TextStyle& style) const;
  bool says_something(std::size_t column) const;

  std::vector<TextColumn> columns_;
  std::vector<std::vector<TextCell>> rows_;
};

}  // namespace dwell
