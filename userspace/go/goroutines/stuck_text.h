// SPDX-License-Identifier: Apache-2.0
// What was proved of goroutines that wait, in words: of one look, and of the end of a recording.
#pragma once

#include <cstdint>
#include <string>

#include "ui/text_style.h"
#include "userspace/go/goroutines/stuck.h"

namespace dwell {

struct StuckFigures {
  std::uint64_t never = 0, abandoned = 0, candidates = 0;
  GoNotJudged not_judged;
  bool proved = false;
  std::string reservation;
  std::string evidence;      // "2 looks, 3.1 MB of memory"; may be empty
  bool of_the_past = false;  // at the end of a recording
};

StuckFigures figures_of(const StuckFinding& finding);
StuckFigures figures_of(const GoStuck& recorded);

std::string stuck_text(const StuckFigures& figures, const TextStyle& style);

}  // namespace dwell
