// SPDX-License-Identifier: Apache-2.0
// What a Go program held at one moment besides goroutines and heap: its pending timers, and its contexts that are not
// cancelled.
#pragma once

#include <cstdint>
#include <optional>

#include "userspace/go/contexts/report.h"
#include "userspace/go/timers/report.h"
#include "userspace/recording/ids.h"

namespace dwell {

struct GoHeld {
  std::uint64_t time_ns = 0;  // of the snapshot that it belongs to
  ProcessSlot process = 0;
  std::optional<TimerReport> timers;
  std::optional<ContextReport> contexts;
};

}  // namespace dwell
