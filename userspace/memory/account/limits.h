// SPDX-License-Identifier: Apache-2.0
// How much memory a process may use: the limits of its control groups (cgroup v2, Documentation/admin-guide/cgroup-v2.rst) and
// how much of each is in use.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dwell::memory {

struct MemoryLimit {
  std::string group;           // "/system.slice/redis.service"; may be an ancestor of the process's own
  std::uint64_t limit = 0;     // bytes: memory.max
  std::uint64_t in_use = 0;    // bytes: memory.current without inactive page cache, which the kernel drops first
  std::uint64_t oom_kills = 0; // memory.events, of the group and all below
  std::uint64_t high = 0, max = 0;  // the same: how often it was throttled at memory.high, and hit memory.max
  double share() const { return limit ? static_cast<double>(in_use) / static_cast<double>(limit) : 0; }
};

// Pure. `read` gives the content of a file below the root of the control groups; none: it cannot be read. All levels that have
// a limit, the one nearest to it first.
using ReadGroupFile = std::function<std::optional<std::string>(const std::string& path)>;
std::vector<MemoryLimit> limits_of_group(std::string_view group, const ReadGroupFile& read);
// Pure: the path of the process's group in the text of /proc/PID/cgroup; "" if it is in none of version 2.
std::string group_in(std::string_view cgroup);

std::vector<MemoryLimit> memory_limits(pid_t pid);
// memory.current of the group, in bytes; none: it has no such file, or is outside our own namespace.
std::optional<std::uint64_t> group_memory(const std::string& group);

}  // namespace dwell::memory
