// SPDX-License-Identifier: Apache-2.0
#include "userspace/top/screen.h"

#include <algorithm>

#include "ui/text_width.h"
#include "userspace/base/text.h"

namespace dwell::top {
namespace {

constexpr struct { std::string_view code; Paint paint; } kPaintCodes[] = {
    {"0", Paint::kPlain}, {"", Paint::kPlain},    {"1", Paint::kStrong},   {"2", Paint::kDim},
    {"31", Paint::kGrew}, {"36", Paint::kShrank}, {"33", Paint::kWarning},
};

constexpr std::string_view kPaintNames[] = {"", "strong", "dim", "grew", "shrank", "warning"};

Line painted_line(std::string_view text, Paint& paint) {
  Line line;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t escape = std::min(text.find('\x1b', at), text.size());
    if (escape > at) line.add(text.substr(at, escape - at), paint);
    at = escape;
    if (at == text.size()) break;
    std::size_t end = text.find_first_of("ABCDEFGHJKSTfmnsu", at);
    if (end == std::string_view::npos) break;
    if (text[end] == 'm' && end >= at + 2)
      for (const auto& known : kPaintCodes)
        if (known.code == text.substr(at + 2, end - at - 2)) paint = known.paint;
    at = end + 1;
  }
  return line;
}

}  // namespace

Line& Line::add(std::string_view text, Paint paint, bool reversed_span) {
  if (!text.empty()) spans.push_back({std::string(text), paint, reversed_span});
  return *this;
}

std::string Line::text() const {
  std::string whole;
  for (const Span& span : spans) whole += span.text;
  return whole;
}

std::size_t width_of(const Line& line) {
  std::size_t width = 0;
  for (const Span& span : line.spans) width += display_width(span.text);
  return width;
}

Line cut(const Line& line, std::size_t columns) {
  if (width_of(line) <= columns) return line;
  Line shorter;
  shorter.reversed = line.reversed;
  std::size_t left = columns;
  for (const Span& span : line.spans) {
    std::size_t width = display_width(span.text);
    bool last = width >= left;  // something comes behind it, or it is too wide itself
    shorter.add(last ? cut_end(span.text + " ", left) : span.text, span.paint, span.reversed);
    if (last) break;
    left -= width;
  }
  return shorter;
}

Line spread(Line left, const Line& right, std::size_t columns) {
  std::size_t used = width_of(left) + width_of(right);
  if (used + 1 > columns || right.spans.empty()) return left;
  left.add(std::string(columns - used, ' '));
  left.spans.insert(left.spans.end(), right.spans.begin(), right.spans.end());
  return left;
}

std::vector<Line> lines_of(std::string_view painted) {
  std::vector<Line> lines;
  Paint paint = Paint::kPlain;
  for (std::string_view line : split(painted, '\n')) lines.push_back(painted_line(line, paint));
  while (!lines.empty() && lines.back().spans.empty()) lines.pop_back();
  return lines;
}

std::string described(const Screen& screen) {
  std::string text;
  for (const Line& line : screen.lines) {
    std::string whole = line.reversed ? ">" : "|";
    for (const Span& span : line.spans) {
      if (span.reversed) whole += "[" + span.text + "]";
      else if (span.paint == Paint::kPlain) whole += span.text;
      else whole += "{" + std::string(kPaintNames[static_cast<std::size_t>(span.paint)]) + ":" + span.text + "}";
    }
    text += whole + "\n";
  }
  return text;
}

}  // namespace dwell::top
