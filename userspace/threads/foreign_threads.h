// SPDX-License-Identifier: Apache-2.0
// The threads of another process, as /proc shows them: the system call that each is in, and whether it sleeps.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/recording/ids.h"

namespace dwell {

struct ForeignThread {
  Tid tid = 0;
  std::string name;
  bool sleeps = false;
  bool in_call = false;
  std::uint64_t call = 0;
  std::uint64_t args[6] = {};
  std::uint64_t switches = 0;  // between threads, of both kinds
};

std::vector<ForeignThread> read_foreign_threads(pid_t pid);  // by tid; empty: it can't be read, or has ended

// Pure. Of /proc/PID/task/TID/syscall and status; a thread that runs or is in no call has none.
void parse_call(std::string_view syscall, ForeignThread& thread);
void parse_task_status(std::string_view status, ForeignThread& thread);

}  // namespace dwell
