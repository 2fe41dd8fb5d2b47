// SPDX-License-Identifier: Apache-2.0
// How many columns text takes on a terminal, and how long text is made to fit.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace dwell {

// Columns of printable UTF-8: 2 for East Asian wide characters and most emoji, 0 for combining marks.
std::size_t display_width(std::string_view text);

// At most `columns` wide, "…" where text was cut: at the end, or in the middle for paths.
std::string cut_end(std::string_view text, std::size_t columns);
std::string cut_middle(std::string_view text, std::size_t columns);

// A function's name made to fit: template arguments and parameters go first ("map<…>::find(…)"), and only
// if it is still too long is it cut in the middle, because a C++ name tells most at both ends.
std::string shorten_name(std::string_view name, std::size_t columns);

// The name without template arguments and parameters: "map::find". Names that do not match stay as they are.
std::string bare_name(std::string_view name);

// Lines of at most `columns` (0: one line), broken at spaces; all but the first begin with `indent` spaces.
// A word that is wider than a line is cut in the middle.
std::vector<std::string> wrap(std::string_view text, std::size_t columns, std::size_t indent);

std::string pad_right(std::string_view text, std::size_t columns);
std::string pad_left(std::string_view text, std::size_t columns);

}  // namespace dwell
