// SPDX-License-Identifier: Apache-2.0
// What a Go program held at one moment besides goroutines and heap: its pending timers, and its contexts that are not
// cancelled; and what was found wrong with it then.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "userspace/go/contexts/report.h"
#include "userspace/go/heap/holder_rows.h"
#include "userspace/go/timers/report.h"
#include "userspace/record/findings.h"
#include "userspace/recording/ids.h"

namespace dwell {

struct GoHeld {
  std::uint64_t time_ns = 0;  // of the snapshot that it belongs to
  ProcessSlot process = 0;
  std::optional<TimerReport> timers;
  std::optional<ContextReport> contexts;
  std::vector<Finding> findings;      // what to look at first
  std::vector<std::string> not_seen;  // parts that could not be looked at, and why
  std::vector<GoHolderRow> holders;   // of the heap, if it was asked for
  std::uint64_t reached_bytes = 0;    // of the heap: what something leads to
};

}  // namespace dwell
