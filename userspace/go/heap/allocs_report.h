// SPDX-License-Identifier: Apache-2.0
// The heap of a Go program that keeps no profile of its own, by call site, as samples tell it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "userspace/views/profile.h"
#include "userspace/recording/model.h"
#include "userspace/views/report_stack.h"

namespace dwell {

struct GoAllocRow {
  ReportStack stack;  // leaf first, from the call that allocates on
  std::string incomplete;
  std::uint64_t samples = 0, live_samples = 0;
  double alloc_objects = 0, alloc_bytes = 0, alloc_bytes_error = 0;
  double inuse_objects = 0, inuse_bytes = 0, inuse_bytes_error = 0;
};

struct GoAllocsReport {
  std::uint64_t duration_ns = 0, watched_ns = 0, windows = 0, lost = 0, collections = 0, missed = 0;
  GoAllocRow total;
  std::vector<GoAllocRow> rows;  // most bytes in use first
  std::vector<std::string> notes;
};

// Of a recording that has it: Recording::go_allocs.
GoAllocsReport go_allocs_report(RecordingRef recording);

// Sample types of Go's heap profiles: alloc_objects, alloc_space, inuse_objects, inuse_space.
Profile go_allocs_profile(const Recording& recording);

}  // namespace dwell
