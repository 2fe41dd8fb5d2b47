// SPDX-License-Identifier: Apache-2.0
// The machine's clocks as they are now.
#pragma once

#include "userspace/clocks/report_model.h"
#include "userspace/clocks/step_detector.h"

namespace dwell {

// The narrowest of a few readings.
ClockSample sample_clocks();

KernelClockState kernel_clock_state();
bool leap_second_due();

}  // namespace dwell
