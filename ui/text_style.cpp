// SPDX-License-Identifier: Apache-2.0
#include "ui/text_style.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "ui/text_width.h"

namespace dwell {
namespace {

constexpr std::size_t kNarrowest = 40, kWidest = 1000, kUsual = 80;

const char* escape_of(Paint paint) {
  switch (paint) {
    case Paint::kPlain:
      return "";
    case Paint::kStrong:
      return "\x1b[1m";
    case Paint::kDim:
      return "\x1b[2m";
    case Paint::kGrew:
      return "\x1b[31m";
    case Paint::kShrank:
      return "\x1b[36m";
    case Paint::kWarning:
      return "\x1b[33m";
  }
  return "";
}

std::size_t columns_from(const char* text) {
  std::size_t columns = 0;
  if (!text) return 0;
  std::string_view digits = text;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), columns);
  bool whole = error == std::errc{} && end == digits.data() + digits.size();
  return whole && columns > 0 && columns <= kWidest ? std::max(columns, kNarrowest) : 0;
}

}  // namespace

std::string TextStyle::paint(Paint paint, std::string_view text) const {
  if (!colour || paint == Paint::kPlain || text.empty()) return std::string(text);
  return escape_of(paint) + std::string(text) + "\x1b[0m";
}

std::string TextStyle::paragraph(Paint paint_with, std::string_view text, std::size_t indent) const {
  std::string result;
  for (const std::string& line : wrap(text, columns, indent)) result += paint(paint_with, line) + "\n";
  return result;
}

TextStyle text_style(bool is_terminal, std::size_t window_columns, const Environment& environment) {
  TextStyle style;
  style.terminal = is_terminal;
  style.columns = columns_from(environment("COLUMNS"));
  if (style.columns == 0 && is_terminal) {
    style.columns = window_columns ? std::max(window_columns, kNarrowest) : kUsual;
  }
  const char* no_color = environment("NO_COLOR");
  const char* term = environment("TERM");
  bool refused = (no_color && *no_color) || (term && std::string_view(term) == "dumb");
  style.colour = is_terminal && !refused;
  return style;
}

TextStyle text_style_of(int fd) {
  winsize window{};
  bool is_terminal = isatty(fd) == 1;
  if (is_terminal && ioctl(fd, TIOCGWINSZ, &window) != 0) window.ws_col = 0;
  return text_style(is_terminal, window.ws_col,
                    [](const char* name) { return static_cast<const char*>(getenv(name)); });
}

}  // namespace dwell
