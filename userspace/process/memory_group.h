// SPDX-License-Identifier: Apache-2.0
// How much memory a process may use: the limits of its control groups and how much of each is in use. Version 2 is in
// Documentation/admin-guide/cgroup-v2.rst, version 1 in cgroup-v1/memory.rst beside it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dwell {

struct MemoryLimit {
  std::string group;           // "/system.slice/redis.service"; may be an ancestor of the process's own
  std::uint64_t limit = 0;     // bytes
  std::uint64_t in_use = 0;    // bytes: memory.current without inactive page cache, which the kernel drops first
  std::uint64_t oom_kills = 0; // of the group and all below
  std::uint64_t high = 0, max = 0;  // how often it was throttled at memory.high, and hit its limit
  std::string_view file = "memory.max";  // that says the limit: "memory.max", "memory.high", "memory.limit_in_bytes"
  bool throttles() const { return file == "memory.high"; }  // the kernel slows down who is above it, and ends nobody
  double share() const { return limit ? static_cast<double>(in_use) / static_cast<double>(limit) : 0; }
};

// Which control group accounts for the memory of a process.
struct MemoryGroup {
  std::string path;         // below the root of its hierarchy; "": it is in none
  bool version_1 = false;
  bool operator==(const MemoryGroup&) const = default;
};

// Pure. `read` gives the content of a file below the root of the hierarchy; none: it cannot be read. All levels that have
// a limit, the one nearest to it first.
using ReadGroupFile = std::function<std::optional<std::string>(const std::string& path)>;
std::vector<MemoryLimit> limits_of_group(const MemoryGroup& group, const ReadGroupFile& read);
// Pure: of the text of /proc/PID/cgroup. Where both versions are in use, memory is accounted for by version 1 if that has a
// hierarchy for it.
MemoryGroup group_in(std::string_view cgroup);

std::vector<MemoryLimit> memory_limits(pid_t pid);
// What the group uses, in bytes; none: it has no such file, or is outside our own namespace.
std::optional<std::uint64_t> group_memory(const MemoryGroup& group);

}  // namespace dwell
