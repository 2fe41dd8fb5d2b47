// SPDX-License-Identifier: Apache-2.0
// Memory by the call site that touched it first, as reports show it: stacks that read the same are one site.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/memory/touched/sites.h"
#include "userspace/recording/model.h"
#include "userspace/views/filter.h"
#include "userspace/views/profile.h"
#include "userspace/views/report_stack.h"

namespace dwell::memory {

struct TouchedRow {
  TouchedKind kind = TouchedKind::kKinds;  // kKinds: nothing is left
  ReportStack stack;
  std::string incomplete;       // why the stack could not be followed to its root; "" if it could
  std::uint64_t faults = 0;     // of the stack; in its largest row only
  std::uint64_t resident = 0, grown = 0;  // bytes
  std::uint64_t error = 0;      // of `resident`, one standard error; 0: exact
};

struct TouchedReport {
  ProcessSlot process = 0;
  std::uint64_t time_ns = 0;    // of the look at the pages, since the start of the recording
  bool looked = false;          // false: only faults are known
  std::uint64_t weight = 1;     // one page in so many was followed
  std::vector<TouchedRow> rows;  // what grew most first
  std::uint64_t faults = 0, resident = 0, grown = 0;
  std::uint64_t unseen = 0;     // bytes that came without a fault
};

bool follows_touched(const Recording& recording);
// Of the processes of which something is known.
std::vector<TouchedReport> touched_reports(RecordingRef recording);
// Sample types: faults, inuse_space. Label: kind.
Result<Profile> touched_profile(const Recording& recording, const ViewFilter& filter);

}  // namespace dwell::memory
