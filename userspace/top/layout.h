// SPDX-License-Identifier: Apache-2.0
// Layout: a model and what the user chose, as lines for a terminal of a given size. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "userspace/top/model.h"
#include "userspace/top/screen.h"
#include "userspace/top/state.h"

namespace dwell::top {

// What a tab shows besides memory: the text of a look.
struct LookPage {
  std::vector<Line> lines;
  std::string problem;                 // why there is none; "" if there is
  std::optional<std::uint64_t> age_ns; // of the look; none: the first is on its way
  bool looking = false;                // the next one is on its way
};

struct View {
  const Model& model;
  const State& state;
  const LookPage* page = nullptr;  // of the tab that is shown, if it has one
  std::string message = {};        // at the bottom, for a moment: "Saved ..."
  std::size_t processes = 1;       // that can be chosen: of several, all of them together is one more
  std::string look_of = {};        // of which process the tab's look is, where there are several
};

Screen lay_out(const View& view, std::size_t columns, std::size_t rows);

// Where there is no terminal: one line of figures, and a line for each of the call sites that grow fastest.
std::string plain_text(const Model& model, std::size_t columns, std::size_t most_rows);

}  // namespace dwell::top
