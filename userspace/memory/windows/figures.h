// SPDX-License-Identifier: Apache-2.0
// From what windows met to figures by series: estimates beside what exact recording saw, with their errors.
#pragma once

#include <string>
#include <vector>

#include "userspace/memory/series_figures.h"
#include "userspace/recording/model.h"

namespace dwell::memory::windows {

// Adds the estimates of the range to the figures. Growth over time is then not known.
void add_estimates(const Recording& recording, RangeFigures& figures);

// How the range was recorded, as sentences. Empty: without a budget.
std::vector<std::string> notes_of_windows(const Recording& recording, const TickRange& range);

}  // namespace dwell::memory::windows
