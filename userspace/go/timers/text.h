// SPDX-License-Identifier: Apache-2.0
// How a Go program's pending timers read.
#pragma once

#include <string>

#include "ui/text_style.h"
#include "userspace/go/timers/report.h"

namespace dwell {

struct TimersTextOptions {
  TextStyle style;
  std::size_t groups = 30;
  std::uint64_t now_monotonic_ns = 0;
  bool runtime = false;  // the runtime's own timers too
};

std::string timers_text(const TimerReport& report, const TimersTextOptions& options);

}  // namespace dwell
