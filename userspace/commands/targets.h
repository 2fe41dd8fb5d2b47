// SPDX-License-Identifier: Apache-2.0
// Several processes as one target: what was given on the command line, and who that is now.
#pragma once

#include <string>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/record/record.h"

namespace dwell {

struct TargetChoice {
  std::vector<std::string> processes;   // PIDs, or names that only one process has
  std::vector<std::string> names;       // --name: all that are called so
  std::vector<std::string> groups;      // --cgroup
  bool children = false;                // and all processes below them
  pid_t own = 0;                        // with all below it no target: dwell itself; 0: this process
  bool empty() const { return processes.empty() && names.empty() && groups.empty(); }
};

// Fills in whom to record. Exit::kNoTarget where one of them is nobody.
Result<void> choose_targets(const TargetChoice& choice, RecordOptions& options);

}  // namespace dwell
