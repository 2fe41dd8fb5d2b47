// SPDX-License-Identifier: Apache-2.0
// What dwell says about clocks, as text: verdicts first, then steps, reads, waits, and what makes it
// uncertain.
#pragma once

#include <cstddef>
#include <string>

#include "ui/text_style.h"
#include "userspace/clocks/report_model.h"

namespace dwell {

struct ClocksTextOptions {
  TextStyle style;
  std::size_t sites = 20;   // rows of each table
  std::size_t stacks = 5;   // rows whose whole stack is printed
  std::size_t frames = 64;  // of a stack
};

std::string clocks_text(const ClocksReport& report, const ClocksTextOptions& options);

}  // namespace dwell
