// SPDX-License-Identifier: Apache-2.0
// The processes that a recording begins with: those that were named, and the members of a group.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/process/process.h"
#include "userspace/record/record.h"

namespace dwell {

struct MissedTarget {  // was asked for, and cannot be recorded
  pid_t pid = 0;
  std::string why;
};

struct Targets {
  std::vector<ProcessFacts> found;
  std::vector<MissedTarget> missed;
};

// At least one is found, or the Error is that of the first. A member of a group that has ended meanwhile is not missed.
Result<Targets> read_targets(const RecordOptions& options);

// The same of a target that turned out not to be traceable later.
inline bool is_missed(const RecordOptions& options, pid_t pid, const Error& why) {
  bool named = std::ranges::find(options.pids, pid) != options.pids.end();
  return named || why.exit != Exit::kNoTarget;
}

}  // namespace dwell
