// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/memory_group.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "userspace/base/files.h"
#include "userspace/base/text.h"

namespace dwell {
namespace {

constexpr std::string_view kRoot = "/sys/fs/cgroup", kRootOfVersion1 = "/sys/fs/cgroup/memory";

std::optional<std::uint64_t> whole_number_in(std::string_view text) {
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
      return whole_number_in(line.substr(name.size() + 1)).value_or(0);
  return 0;
}

}  // namespace

MemoryGroup group_in(std::string_view cgroup) {
  constexpr std::string_view kUnified = "0::", kController = ":memory:";
  MemoryGroup group;
  for (std::string_view line : split(cgroup, '\n')) {
    std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    if (line.starts_with(kUnified) && !group.version_1) group.path = line.substr(kUnified.size());
    if (line.substr(colon).starts_with(kController)) group = {std::string(line.substr(colon + kController.size())), true};
  }
  return group;
}

namespace {

struct Level {
  const ReadGroupFile& read;
  std::string path;
  std::optional<std::string> file(const char* name) const { return read(path + "/" + name); }
  std::optional<std::uint64_t> number(const char* name) const {
    std::optional<std::string> text = file(name);
    return text ? whole_number_in(*text) : std::nullopt;
  }
};

void add_limits_of_level(const Level& level, std::vector<MemoryLimit>& limits) {
  std::optional<std::uint64_t> used = level.number("memory.current");
  if (!used) return;
  for (const char* file : {"memory.max", "memory.high"}) {
    std::optional<std::uint64_t> limit = level.number(file);
    if (!limit) continue;
    std::uint64_t droppable = value_of(level.file("memory.stat"), "inactive_file");
    std::optional<std::string> events = level.file("memory.events");
    limits.push_back({level.path, *limit, *used - std::min(*used, droppable), value_of(events, "oom_kill"), value_of(events, "high"), value_of(events, "max"), file});
  }
}

constexpr const char* kLimitFile = "memory.limit_in_bytes";
constexpr std::uint64_t kUnlimited = std::uint64_t{1} << 62;  // version 1 has no word for it, but the largest number of whole pages

// Of one group; none: it cannot be read. Its limit may be none.
std::optional<MemoryLimit> level_of_version_1(const Level& level) {
  std::optional<std::uint64_t> limit = level.number(kLimitFile), used = level.number("memory.usage_in_bytes");
  if (!limit || !used) return std::nullopt;
  std::uint64_t droppable = value_of(level.file("memory.stat"), "total_inactive_file");
  return MemoryLimit{level.path.empty() ? "/" : level.path, *limit, *used - std::min(*used, droppable), value_of(level.file("memory.oom_control"), "oom_kill"),
                     0, level.number("memory.failcnt").value_or(0), kLimitFile};
}

// A container sees its own group as the root, and may not know that it is not. Of a limit that is set out of its sight, the kernel
// tells how high it is; in use of it is at least what this group uses.
std::vector<MemoryLimit> limits_of_version_1(const MemoryGroup& group, const ReadGroupFile& read) {
  std::vector<MemoryLimit> levels;
  for (std::string path = group.path; path.size() > 1; path.resize(path.rfind('/')))
    if (std::optional<MemoryLimit> level = level_of_version_1({read, path})) levels.push_back(*level);
  if (levels.empty())
    if (std::optional<MemoryLimit> root = level_of_version_1({read, ""})) levels.push_back(*root);
  if (levels.empty()) return {};
  MemoryLimit above = levels.front();
  above.limit = value_of(read((above.group == "/" ? "" : above.group) + "/memory.stat"), "hierarchical_memory_limit");
  above.file = "hierarchical_memory_limit";
  std::erase_if(levels, [](const MemoryLimit& level) { return level.limit >= kUnlimited; });
  bool seen = std::ranges::any_of(levels, [&](const MemoryLimit& level) { return level.limit <= above.limit; });
  if (above.limit && above.limit < kUnlimited && !seen) levels.push_back(above);
  return levels;
}

}  // namespace

std::vector<MemoryLimit> limits_of_group(const MemoryGroup& group, const ReadGroupFile& read) {
  std::vector<MemoryLimit> limits;
  if (group.version_1)
    limits = limits_of_version_1(group, read);
  else
    for (std::string path = group.path; path.size() > 1; path.resize(path.rfind('/'))) add_limits_of_level({read, path}, limits);
  std::ranges::stable_sort(limits, [](const MemoryLimit& a, const MemoryLimit& b) { return a.share() > b.share(); });
  return limits;
}

namespace {

ReadGroupFile files_of(const MemoryGroup& group) {
  std::string root(group.version_1 ? kRootOfVersion1 : kRoot);
  return [root](const std::string& path) -> std::optional<std::string> {
    if (path.find("/../") != std::string::npos) return std::nullopt;  // of a group outside our own namespace
    Result<std::string> text = read_file(root + path);
    if (!text) return std::nullopt;
    return *text;
  };
}

}  // namespace

std::vector<MemoryLimit> memory_limits(pid_t pid) {
  Result<std::string> cgroup = read_file(fmt::format("/proc/{}/cgroup", pid));
  if (!cgroup) return {};
  MemoryGroup group = group_in(*cgroup);
  return limits_of_group(group, files_of(group));
}

std::optional<std::uint64_t> group_memory(const MemoryGroup& group) {
  if (group.path.size() < 2) return std::nullopt;
  std::optional<std::string> text = files_of(group)(group.path + (group.version_1 ? "/memory.usage_in_bytes" : "/memory.current"));
  return text ? whole_number_in(*text) : std::nullopt;
}

}  // namespace dwell
