// SPDX-License-Identifier: Apache-2.0
// `dwell top`: records processes, and shows what their memory does meanwhile; other tabs look at them as other commands do.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/top/recorder_process.h"

namespace dwell::top {

struct TopRequest {
  std::vector<pid_t> pids;           // at least one; those that run when it begins
  std::string group;                 // what they are members of; "": they were named
  std::string output;                // "": the recording goes when the screen does
  std::optional<std::size_t> count;  // ends after so many refreshes
  std::uint64_t interval_ns = 0;     // of plain lines
  std::string command_line;
  RecordInto record;
};

// Until q, a signal, the end of the terminal, or `count`.
Result<Exit> watch(const TopRequest& request);

}  // namespace dwell::top
