// SPDX-License-Identifier: Apache-2.0
// One look at a Go program, and the recording that keeps it.
#pragma once

#include <sys/types.h>

#include <string>

#include "userspace/go/goroutines/report.h"

namespace dwell {

struct GoSnapshotOptions {
  pid_t pid = 0;
  bool prove = false;        // which goroutines can never wake
  bool heap = false;         // its profiles and its collector, too
  bool timers = false;       // that are pending
  bool contexts = false;     // that are not cancelled
  bool findings = false;     // what to look at first: by all of the above, and by the program's code
  bool insist = true;        // on what was asked for; else what can't be looked at is in the report's not_seen
  std::string output;        // "": nowhere
  std::string command_line;  // of dwell itself
};

// The look, written to `options.output` too where that is given.
Result<GoroutineReport> take_go_snapshot(const GoSnapshotOptions& options);

// What the descriptors are that goroutines wait for.
void describe_descriptors(pid_t pid, GoroutineReport& report);

}  // namespace dwell
