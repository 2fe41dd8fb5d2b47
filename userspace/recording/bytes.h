// SPDX-License-Identifier: Apache-2.0
// The fields of which chunks are made: varints, zigzag varints, texts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/base/cursor.h"
#include "userspace/recording/decode_budget.h"

namespace dwell {

inline constexpr const char* kTooShort = "it ends in the middle of a field";

inline void put_uleb(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out += static_cast<char>(value | 0x80);
    value >>= 7;
  }
  out += static_cast<char>(value);
}

// Small differences of either sign, also of unsigned numbers that wrap around: 0, -1, 1, -2 are 0, 1, 2, 3.
inline void put_difference(std::string& out, std::uint64_t difference) {
  std::uint64_t sign = difference >> 63;
  put_uleb(out, difference << 1 ^ (0 - sign));
}
inline std::uint64_t get_difference(Cursor& in) {
  std::uint64_t value = in.uleb();
  return value >> 1 ^ (0 - (value & 1));
}

inline void put_text(std::string& out, std::string_view text) {
  put_uleb(out, text.size());
  out += text;
}
inline std::string_view get_text(Cursor& in) { return in.text(in.uleb()); }

// How many of a thing a chunk can hold, if each takes at least one byte of it: more is a lie. Fails too where the
// recording would take more memory than it may.
template <typename Thing>
std::size_t get_count(Cursor& in) {
  std::uint64_t count = in.uleb();
  if (count > in.remaining() || !DecodeBudget::take(count, sizeof(Thing))) in.fail();
  return in.ok() ? count : 0;
}

inline void put_texts(std::string& out, const std::vector<std::string>& texts) {
  put_uleb(out, texts.size());
  for (const std::string& text : texts) put_text(out, text);
}
inline std::vector<std::string> get_texts(Cursor& in) {
  std::vector<std::string> texts;
  for (std::size_t left = get_count<std::string>(in); left > 0 && in.ok(); --left) texts.emplace_back(get_text(in));
  return texts;
}

// Tables are written piece by piece, each where the one before ended. "" if this one does.
inline std::string begins_elsewhere(std::uint64_t first, std::size_t expected) {
  if (first == expected) return "";
  return "it begins at index " + std::to_string(first) + " where " + std::to_string(expected) + " should follow";
}

}  // namespace dwell
