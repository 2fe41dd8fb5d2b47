// SPDX-License-Identifier: Apache-2.0
// A look at the clocks of a running process: attaches for a few seconds, and tells what it saw.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>

#include "userspace/base/result.h"
#include "userspace/clocks/report_model.h"

namespace dwell {

struct ClocksOptions {
  pid_t pid = 0;
  std::uint64_t duration_ns = 5'000'000'000;
  double share = 0.01;  // of the target's time that counting reads may take; 1: watch all the time
  std::uint64_t window_ns = 5'000'000;  // length of a window, at least
};

// Ends early, and well, when the target ends or a signal says stop. `started` is called when all is in place.
using LookStarted = std::function<void(const std::string& message)>;
Result<ClocksReport> look_at_clocks(const ClocksOptions& options, const LookStarted& started);

}  // namespace dwell
