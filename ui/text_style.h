// SPDX-License-Identifier: Apache-2.0
// How text may look where it goes: its width, and whether colours are wanted there.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace dwell {

enum class Paint { kPlain, kStrong, kDim, kGrew, kShrank, kWarning };

struct TextStyle {
  std::size_t columns = 0;  // 0: as wide as it needs to be, because a program or a file takes it
  bool colour = false;
  bool terminal = false;

  std::string paint(Paint paint, std::string_view text) const;
  // A paragraph in as many lines as it takes; all but the first are indented.
  std::string paragraph(Paint paint, std::string_view text, std::size_t indent = 4) const;
};

// COLUMNS goes before the window's own width. NO_COLOR (set and not empty) and TERM=dumb mean no colours;
// files and pipes never get any.
using Environment = std::function<const char*(const char* name)>;
TextStyle text_style(bool is_terminal, std::size_t window_columns, const Environment& environment);
TextStyle text_style_of(int fd);

}  // namespace dwell
