// SPDX-License-Identifier: Apache-2.0
// Foreign text (symbol names, paths, command lines) made safe for the place where it is shown.
//
// The target chooses its symbol names, so a name may hold terminal escapes, markup or broken UTF-8.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace dwell {

// One character of UTF-8 text. `valid` is false for a byte that is not part of any well-formed character.
struct Utf8Char {
  char32_t code = 0;
  std::size_t size = 0;
  bool valid = false;
};
Utf8Char next_utf8(std::string_view text);

// Valid UTF-8 that moves no cursor and reverses no text: control characters, bidirectional overrides,
// invisible characters and stray bytes appear as \xNN or \u{NNNN}.
std::string printable(std::string_view text);

std::string xml_escape(std::string_view text);  // printable, then & < > " '
std::string json_quote(std::string_view text);  // printable, quoted; also safe inside <script>

}  // namespace dwell
