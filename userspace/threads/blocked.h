// SPDX-License-Identifier: Apache-2.0
// For how long threads were blocked, by the stack that they blocked at, and who woke them up.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "userspace/views/profile.h"
#include "userspace/recording/model.h"
#include "userspace/views/report_stack.h"
#include "userspace/threads/blocked_sites.h"

namespace dwell {

struct WakerReport {
  WakerKind kind = WakerKind::kUnknown;
  std::string words;  // of all but a thread that is recorded: "redis-cli (4711), another process"
  ReportStack stack;  // of a thread that is recorded
  std::string incomplete;
  std::uint64_t ns = 0, times = 0;  // of the waits that it ended
};

struct BlockedReport {
  ReportStack stack;
  std::string incomplete;
  std::uint64_t ns = 0, times = 0;  // waits that have not ended included
  std::uint64_t ended = 0;          // of `times`
  std::vector<WakerReport> wakers;  // the longest first
};

// The longest first.
std::vector<BlockedReport> blocked_report(RecordingRef recording);

// Sample types: waits, blocked. Label: waker.
Profile blocked_profile(const Recording& recording);

}  // namespace dwell
