// SPDX-License-Identifier: Apache-2.0
// The table of call sites: which columns fit, and its rows.
#pragma once

#include <cstddef>
#include <vector>

#include "userspace/top/model.h"
#include "userspace/top/screen.h"
#include "userspace/top/state.h"

namespace dwell::top {

// Columns keep their width from one look to the next, so that figures change and nothing moves.
class SiteColumns {
 public:
  SiteColumns(const Model& model, SortBy sort, std::size_t columns);

  Line titles() const;
  Line row(const SiteRow& row) const;

 private:
  struct Column {
    SortBy sort;
    const char* title;
    std::size_t width;
    bool shown;
  };
  std::string cell(const SiteRow& row, SortBy column) const;
  std::string curve(const SiteRow& row) const;

  const Model& model_;
  SortBy sort_;
  std::size_t curve_width_;
  std::vector<Column> columns_;
  std::size_t name_width_;
};

// "+1.2 MB/min", "-" where it is not known.
std::string per_minute(const std::optional<double>& rate);

}  // namespace dwell::top
