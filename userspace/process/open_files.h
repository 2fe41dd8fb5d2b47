// SPDX-License-Identifier: Apache-2.0
// How many descriptors a process has open, of how many that it may, and which of its sockets the other side has closed.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <set>
#include <string_view>
#include <vector>

#include "userspace/base/result.h"

namespace dwell {

struct OpenFiles {
  std::uint64_t open = 0;
  std::uint64_t limit = 0;               // RLIMIT_NOFILE, soft; 0: none
  std::set<std::uint64_t> left_by_peer;  // inodes of TCP sockets in CLOSE_WAIT: the program has still to close them
};

Result<OpenFiles> read_open_files(pid_t pid);

// Pure. Of /proc/PID/limits; 0: unlimited.
std::uint64_t open_files_limit(std::string_view limits);
// Pure. Of /proc/PID/net/tcp or tcp6.
std::vector<std::uint64_t> sockets_in_close_wait(std::string_view table);

}  // namespace dwell
