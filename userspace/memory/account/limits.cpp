// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/account/limits.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "userspace/base/files.h"
#include "userspace/base/text.h"

namespace dwell::memory {
namespace {

constexpr std::string_view kRoot = "/sys/fs/cgroup";

std::optional<std::uint64_t> number_in(std::string_view text) {
  std::uint64_t value = 0;
  auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc()) return std::nullopt;  // "max"
  return value;
}

// The value behind a name, in a file of lines "name value".
std::uint64_t value_of(const std::optional<std::string>& file, std::string_view name) {
  if (!file) return 0;
  for (std::string_view line : split(*file, '\n'))
    if (line.size() > name.size() && line.starts_with(name) && line[name.size()] == ' ')
      return number_in(line.substr(name.size() + 1)).value_or(0);
  return 0;
}

}  // namespace

std::string group_in(std::string_view cgroup) {
  constexpr std::string_view kUnified = "0::";
  for (std::string_view line : split(cgroup, '\n'))
    if (line.starts_with(kUnified)) return std::string(line.substr(kUnified.size()));
  return "";
}

std::vector<MemoryLimit> limits_of_group(std::string_view group, const ReadGroupFile& read) {
  std::vector<MemoryLimit> limits;
  for (std::string level(group); level.size() > 1; level.resize(level.rfind('/'))) {
    std::optional<std::string> most = read(level + "/memory.max"), current = read(level + "/memory.current");
    std::optional<std::uint64_t> limit = most ? number_in(*most) : std::nullopt;
    if (!limit || !current) continue;
    std::uint64_t used = number_in(*current).value_or(0);
    std::uint64_t droppable = value_of(read(level + "/memory.stat"), "inactive_file");
    std::optional<std::string> events = read(level + "/memory.events");
    limits.push_back({level, *limit, used - std::min(used, droppable), value_of(events, "oom_kill"), value_of(events, "high"), value_of(events, "max")});
  }
  std::ranges::stable_sort(limits, [](const MemoryLimit& a, const MemoryLimit& b) { return a.share() > b.share(); });
  return limits;
}

namespace {

std::optional<std::string> read_group_file(const std::string& path) {
  if (path.find("/../") != std::string::npos) return std::nullopt;  // of a group outside our own namespace
  Result<std::string> text = read_file(std::string(kRoot) + path);
  if (!text) return std::nullopt;
  return *text;
}

}  // namespace

std::vector<MemoryLimit> memory_limits(pid_t pid) {
  Result<std::string> cgroup = read_file(fmt::format("/proc/{}/cgroup", pid));
  if (!cgroup) return {};
  return limits_of_group(group_in(*cgroup), read_group_file);
}

std::optional<std::uint64_t> group_memory(const std::string& group) {
  if (group.size() < 2) return std::nullopt;
  std::optional<std::string> text = read_group_file(group + "/memory.current");
  return text ? number_in(*text) : std::nullopt;
}

}  // namespace dwell::memory
