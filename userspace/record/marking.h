// SPDX-License-Identifier: Apache-2.0
// Marking: asks recorders that run, in other processes, to set a mark in their recordings (SIGUSR1).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/base/result.h"

namespace dwell {

struct RunningRecorder {
  pid_t pid = 0;          // of the dwell that records
  std::vector<std::uint32_t> targets;  // the processes with which its recording began
  std::string path;       // of its recording
  std::string opens;      // what opens the very file: /proc/PID/fd/N
};

// Those that record this process. Exit::kNoTarget where there is none.
Result<std::vector<RunningRecorder>> recorders_of_process(pid_t target);
// The one that writes this file.
Result<std::vector<RunningRecorder>> recorders_of_file(const std::string& path);

struct SetMark {
  std::size_t number = 0;       // 1: the first of its recording
  std::uint64_t since_start_ns = 0;
};
// Waits until the mark stands in the file.
Result<SetMark> ask_for_mark(const RunningRecorder& recorder);

// Pure: whether a process waits for SIGUSR1, by its /proc/PID/status: any other would be ended by it.
bool waits_for_marks(std::string_view status);

}  // namespace dwell
