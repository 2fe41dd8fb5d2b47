// SPDX-License-Identifier: Apache-2.0
#include "ui/text_width.h"

#include <algorithm>
#include <iterator>

#include "ui/escape.h"
#include "userspace/base/text.h"

namespace dwell {
namespace {

struct Range {
  char32_t first, last;
};

// Blocks of combining marks that symbol names and paths really meet; the exact list is Unicode's category M.
constexpr Range kCombining[] = {
    {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd},   {0x0610, 0x061a}, {0x064b, 0x065f},
    {0x0900, 0x0902}, {0x093c, 0x093c}, {0x0941, 0x0948},   {0x0e31, 0x0e31}, {0x0e34, 0x0e3a},
    {0x0e47, 0x0e4e}, {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff},   {0x20d0, 0x20ff}, {0x3099, 0x309a},
    {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0x1f3fb, 0x1f3ff},
};

// East Asian Width W and F, by block.
constexpr Range kWide[] = {
    {0x1100, 0x115f},   {0x231a, 0x231b},   {0x2329, 0x232a},   {0x23e9, 0x23ec},   {0x25fd, 0x25fe},
    {0x2614, 0x2615},   {0x2648, 0x2653},   {0x26a1, 0x26a1},   {0x26bd, 0x26be},   {0x2705, 0x2705},
    {0x270a, 0x270b},   {0x2728, 0x2728},   {0x274c, 0x274c},   {0x2753, 0x2755},   {0x2795, 0x2797},
    {0x2b1b, 0x2b1c},   {0x2b50, 0x2b50},   {0x2e80, 0x303e},   {0x3041, 0x33ff},   {0x3400, 0x4dbf},
    {0x4e00, 0x9fff},   {0xa000, 0xa4cf},   {0xa960, 0xa97f},   {0xac00, 0xd7a3},   {0xf900, 0xfaff},
    {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},   {0x16fe0, 0x18cff}, {0x1aff0, 0x1b2ff},
    {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x1fa70, 0x1faff}, {0x20000, 0x3fffd},
};

template <std::size_t N>
bool is_in(const Range (&ranges)[N], char32_t code) {
  const Range* at = std::upper_bound(std::begin(ranges), std::end(ranges), code,
                                     [](char32_t value, const Range& range) { return value < range.first; });
  return at != std::begin(ranges) && code <= std::prev(at)->last;
}

std::size_t char_width(const Utf8Char& next) {
  if (!next.valid) return 1;
  if (is_in(kCombining, next.code)) return 0;
  return is_in(kWide, next.code) ? 2 : 1;
}

// The longest start of `text` that takes at most `columns`.
std::string_view head(std::string_view text, std::size_t columns) {
  std::size_t size = 0, width = 0;
  while (size < text.size()) {
    Utf8Char next = next_utf8(text.substr(size));
    width += char_width(next);
    if (width > columns) break;
    size += next.size;
  }
  return text.substr(0, size);
}

// The longest end of `text` that takes at most `columns`, and does not begin with a combining mark.
std::string_view tail(std::string_view text, std::size_t columns) {
  std::size_t width = display_width(text);
  while (!text.empty()) {
    Utf8Char next = next_utf8(text);
    std::size_t own = char_width(next);
    if (width <= columns && own > 0) break;
    width -= own;
    text.remove_prefix(next.size);
  }
  return text;
}

// "operator<", "operator<<", "operator()", "operator->" and their like hold brackets that open nothing.
std::size_t operator_length(std::string_view text) {
  constexpr std::string_view kWord = "operator";
  if (!text.starts_with(kWord)) return 0;
  for (std::string_view sign : {"<=>", "<<=", ">>=", "->*", "()", "<<", ">>", "<=", ">=", "->", "<", ">"}) {
    if (text.substr(kWord.size()).starts_with(sign)) return kWord.size() + sign.size();
  }
  return 0;
}

// Takes out what stands between outermost brackets, and leaves "<…>" there if they are kept; the text as it
// is if the brackets do not match.
std::string replace_brackets(std::string_view text, char open, char close, bool keep_brackets) {
  std::string result;
  int depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (std::size_t skip = operator_length(text.substr(i)); skip > 0) {
      if (depth == 0) result += text.substr(i, skip);
      i += skip - 1;
      continue;
    }
    bool arrow = text[i] == '>' && i > 0 && text[i - 1] == '-';
    // "main.(*Server).serve": what stands in a name of Go's is whose method it is.
    bool receiver = open == '(' && depth == 0 && text[i] == open && i > 0 && text[i - 1] == '.';
    if (std::size_t end = receiver ? text.find(close, i) : text.npos; end != text.npos) {
      result += text.substr(i, end + 1 - i);
      i = end;
      continue;
    }
    if (text[i] == open) {
      if (depth++ == 0 && keep_brackets) (result += open) += text.substr(i + 1).starts_with(close) ? "" : "…";
    } else if (text[i] == close && !arrow) {
      if (--depth < 0) return std::string(text);
      if (depth == 0 && keep_brackets) result += close;
    } else if (depth == 0) {
      result += text[i];
    }
  }
  return depth == 0 ? result : std::string(text);
}

}  // namespace

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    Utf8Char next = next_utf8(text);
    width += char_width(next);
    text.remove_prefix(next.size);
  }
  return width;
}

std::string cut_end(std::string_view text, std::size_t columns) {
  if (display_width(text) <= columns) return std::string(text);
  if (columns == 0) return {};
  return std::string(head(text, columns - 1)) + "…";
}

std::string cut_middle(std::string_view text, std::size_t columns) {
  if (display_width(text) <= columns) return std::string(text);
  if (columns == 0) return {};
  std::size_t after = (columns - 1) / 2;
  std::string_view start = head(text, columns - 1 - after);
  return std::string(start) + "…" + std::string(tail(text, after));
}

std::string shorten_name(std::string_view name, std::size_t columns) {
  std::string text = printable(name);
  if (display_width(text) > columns) text = replace_brackets(text, '<', '>', true);
  if (display_width(text) > columns) text = replace_brackets(text, '(', ')', true);
  return cut_middle(text, columns);
}

std::string bare_name(std::string_view name) {
  constexpr std::string_view kAnonymous = "(anonymous namespace)";
  std::string text = printable(name);
  for (std::size_t at; (at = text.find(kAnonymous)) != std::string::npos;)
    text.replace(at, kAnonymous.size(), "{anonymous}");
  std::string bare = replace_brackets(replace_brackets(text, '<', '>', false), '(', ')', false);
  if (bare.empty() || bare.starts_with("::")) return text;  // "<impl Trait for Type>::method" of Rust
  if (bare.ends_with(" const")) bare.resize(bare.size() - 6);
  // A C++ name with parameters may begin with the type that it returns.
  bool returns = text.find('(') != std::string::npos && bare.find("operator") == std::string::npos;
  return returns ? bare.substr(bare.rfind(' ') + 1) : bare;
}

std::vector<std::string> wrap(std::string_view text, std::size_t columns, std::size_t indent) {
  if (columns == 0) return {std::string(text)};
  std::size_t own_indent = std::min(text.find_first_not_of(' '), text.size());
  std::vector<std::string> lines{std::string(own_indent, ' ')};
  std::size_t start = own_indent;  // where the words of the last line begin
  for (std::string_view word : split(text.substr(own_indent), ' ')) {
    std::size_t used = display_width(lines.back());
    if (used > start && used + 1 + display_width(word) > columns) {
      lines.emplace_back(indent, ' ');
      used = start = indent;
    }
    if (used > start) lines.back() += ' ';
    lines.back() += cut_middle(word, columns > start ? columns - start : 1);
  }
  return lines;
}

std::string pad_right(std::string_view text, std::size_t columns) {
  std::size_t width = display_width(text);
  return std::string(text) + std::string(width < columns ? columns - width : 0, ' ');
}

std::string pad_left(std::string_view text, std::size_t columns) {
  std::size_t width = display_width(text);
  return std::string(width < columns ? columns - width : 0, ' ') + std::string(text);
}

}  // namespace dwell
