// SPDX-License-Identifier: Apache-2.0
// The keys of `dwell top`: one table, from which the footer and the help are made.
#pragma once

#include <string>
#include <vector>

#include "userspace/top/screen.h"
#include "userspace/top/state.h"

namespace dwell::top {

struct KeyHelp {
  std::string key, word;
};

// Those that matter where the user is, in a word each.
std::vector<KeyHelp> footer_keys(const State& state);
// Broken where a terminal of this width needs it.
std::vector<Line> help_lines(std::size_t columns);

}  // namespace dwell::top
