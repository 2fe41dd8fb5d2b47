// SPDX-License-Identifier: Apache-2.0
// Which descriptors a system call waits for, and in which direction. Pure but for the memory of the process, which it reads
// for poll and select.
#pragma once

#include <cstdint>
#include <vector>

#include "userspace/threads/waits.h"

namespace dwell {

struct CallFile {
  int fd = -1;
  bool reads = false, writes = false;  // what it waits to be able to do; neither: it is not known
};

struct CallFiles {
  std::vector<CallFile> files = {};
  bool held = false;     // the call holds each open file while it waits, however many threads there are (poll, select)
  bool others = false;   // it waits for more than these descriptors
};

CallFiles files_of_call(std::uint64_t call, const std::uint64_t (&args)[6], const CallTarget& target);

}  // namespace dwell
