// SPDX-License-Identifier: Apache-2.0
// Screen: lines of painted text, as a terminal shows them; pure data.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "ui/text_style.h"

namespace dwell::top {

struct Span {
  std::string text;  // printable UTF-8
  Paint paint = Paint::kPlain;
  bool reversed = false;
};

struct Line {
  std::vector<Span> spans;
  bool reversed = false;  // the whole line, to the edge: the selected one

  Line& add(std::string_view text, Paint paint = Paint::kPlain, bool reversed_span = false);
  std::string text() const;
};

struct Screen {
  std::vector<Line> lines;      // as many as the terminal has, none wider
  std::size_t page = 0;         // rows of the part that scrolls
  std::size_t last_scroll = 0;  // beyond which scrolling shows nothing new
};

std::size_t width_of(const Line& line);
// At most so wide; "…" where it was cut.
Line cut(const Line& line, std::size_t columns);
// `right` at the right edge, where both fit; otherwise `left` alone.
Line spread(Line left, const Line& right, std::size_t columns);

// From text that was painted for a terminal by TextStyle, to lines. Other escapes are left out.
std::vector<Line> lines_of(std::string_view painted);

// What a test compares: each line as text, and what is painted in it as {strong:...}.
std::string described(const Screen& screen);

}  // namespace dwell::top
