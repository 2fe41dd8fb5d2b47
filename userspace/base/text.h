// SPDX-License-Identifier: Apache-2.0
// How quantities read in messages and reports: "12.5 MB", "3 h 12 min", "1.2M".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dwell {

std::string human_bytes(double bytes);             // 1536 -> "1.5 KB" (1 KB = 1024 bytes); signs are kept
std::string human_count(double count);             // 1234567 -> "1.23M"
std::string human_duration(std::uint64_t ns);      // 11520000000000 -> "3 h 12 min"
std::vector<std::string_view> split(std::string_view text, char separator);
std::vector<std::string_view> words_in(std::string_view line);  // what lies between blanks
// The one of `words` that `word` is a likely misspelling of, "" if there is none.
std::string nearest_of(std::string_view word, const std::vector<std::string>& words);
std::string hex(const void* data, std::size_t size);  // lower case, no prefix

}  // namespace dwell
