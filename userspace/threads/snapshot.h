// SPDX-License-Identifier: Apache-2.0
// A look at all threads of a process, as a recording: facts with stacks and names, which every report and
// every export takes from there.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/recording/model.h"

namespace dwell {

struct SnapshotOptions {
  pid_t pid = 0;
  std::string output;          // "": nowhere but in memory
  bool kernel_stacks = false;  // of all threads
  std::string command_line;    // of dwell itself
};

// The look, written to `options.output` too where that is given.
Result<Recording> take_snapshot(const SnapshotOptions& options);

}  // namespace dwell
