// SPDX-License-Identifier: Apache-2.0
#include "ui/escape.h"

#include <fmt/core.h>

namespace dwell {
namespace {

bool is_continuation(unsigned char byte) { return (byte & 0xc0) == 0x80; }

std::size_t sequence_length(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead < 0xe0) return 2;
  if (lead >= 0xe0 && lead < 0xf0) return 3;
  if (lead >= 0xf0 && lead < 0xf5) return 4;
  return 0;
}

bool is_well_formed(char32_t code, std::size_t size) {
  if (size == 3) return code >= 0x800 && (code < 0xd800 || code > 0xdfff);
  if (size == 4) return code >= 0x10000 && code <= 0x10ffff;
  return true;
}

bool is_hidden(char32_t code) {
  if (code < 0x20 || (code >= 0x7f && code <= 0x9f)) return true;
  if (code == 0xad || code == 0x61c || code == 0x180e || code == 0xfeff) return true;
  if (code >= 0x200b && code <= 0x200f) return true;
  if (code >= 0x2028 && code <= 0x202e) return true;
  if (code >= 0x2060 && code <= 0x206f) return true;
  if (code >= 0xfff9 && code <= 0xfffb) return true;
  if (code >= 0xe0000 && code <= 0xe0fff) return true;
  return (code & 0xfffe) == 0xfffe;  // noncharacters, which XML refuses
}

}  // namespace

Utf8Char next_utf8(std::string_view text) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  std::size_t size = sequence_length(bytes[0]);
  if (size == 0 || size > text.size()) return {bytes[0], 1, false};
  char32_t code = size == 1 ? bytes[0] : bytes[0] & (0xff >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    if (!is_continuation(bytes[i])) return {bytes[0], 1, false};
    code = code << 6 | (bytes[i] & 0x3f);
  }
  if (!is_well_formed(code, size)) return {bytes[0], 1, false};
  return {code, size, true};
}

std::string printable(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    Utf8Char next = next_utf8(text);
    if (!next.valid || (is_hidden(next.code) && next.code < 0x100)) {
      result += fmt::format("\\x{:02x}", static_cast<unsigned>(next.code));
    } else if (is_hidden(next.code)) {
      result += fmt::format("\\u{{{:x}}}", static_cast<unsigned>(next.code));
    } else {
      result.append(text.substr(0, next.size));
    }
    text.remove_prefix(next.size);
  }
  return result;
}

std::string xml_escape(std::string_view text) {
  std::string result;
  for (char c : printable(text)) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      case '\'':
        result += "&#39;";
        break;
      default:
        result += c;
    }
  }
  return result;
}

std::string json_quote(std::string_view text) {
  std::string result = "\"";
  for (char c : printable(text)) {
    switch (c) {
      case '"':
        result += "\\\"";
        break;
      case '\\':
        result += "\\\\";
        break;
      case '<':
      case '>':
      case '&':
        result += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        break;
      default:
        result += c;
    }
  }
  return result + '"';
}

}  // namespace dwell
