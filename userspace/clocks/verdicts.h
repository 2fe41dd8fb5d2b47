// SPDX-License-Identifier: Apache-2.0
// What the figures about clocks mean: which call sites trust the wrong clock, and what that has done already.
// Pure.
#pragma once

#include <vector>

#include "userspace/clocks/report_model.h"

namespace dwell {

// The gravest first.
std::vector<ClockVerdict> judge_clocks(const ClocksReport& report);

}  // namespace dwell
