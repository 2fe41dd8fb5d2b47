// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/frozen_group.h"

#include <fmt/core.h>
#include <unistd.h>

#include <string_view>

#include "userspace/base/files.h"
#include "userspace/base/living_thread.h"
#include "userspace/base/text.h"
#include "userspace/process/mounts.h"

namespace dwell {

std::string frozen_group(const std::string& group, const GroupFileReader& read) {
  // The root can't be frozen, and has none of these files.
  for (std::string at = group; at.size() > 1; at = at.substr(0, at.rfind('/'))) {
    if (at == group) {
      std::optional<std::string> events = read(at + "/cgroup.events");
      if (!events || ("\n" + *events).find("\nfrozen 1") == std::string::npos) return "";
    }
    std::optional<std::string> freeze = read(at + "/cgroup.freeze");
    if (freeze && freeze->starts_with("1")) return at;
  }
  return "";
}

std::string frozen_by_freezer(const std::string& group, const GroupFileReader& read) {
  for (std::string at = group; at.size() > 1; at = at.substr(0, at.rfind('/'))) {
    std::optional<std::string> freezes = read(at + "/freezer.self_freezing");
    if (freezes && freezes->starts_with("1")) return at;
  }
  return "";
}

namespace {

// Of the line of /proc/PID/cgroup that has it between its colons: "0::/a/b", "5:freezer:/a/b".
std::string group_behind(std::string_view groups, std::string_view controller) {
  for (std::string_view line : split(groups, '\n')) {
    std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second != line.npos && line.substr(first + 1, second - first - 1) == controller) return std::string(line.substr(second + 1));
  }
  return "";
}

GroupFileReader reader_below(const std::string& root) {
  return [root](const std::string& path) -> std::optional<std::string> {
    Result<std::string> content = read_file(root + path, 1 << 12);
    return content ? std::optional(*content) : std::nullopt;
  };
}

}  // namespace

std::string frozen_group_of(pid_t pid) {
  Result<std::string> groups = read_file(fmt::format("/proc/{}/cgroup", living_thread(pid)), 1 << 16);
  if (!groups) return "";
  std::string group = group_behind(*groups, ""), older = group_behind(*groups, "freezer");
  if (group.size() < 2 && older.size() < 2) return "";  // of the root, which can't be frozen
  for (const Mount& mount : mounts_of(::getpid())) {
    std::string found;
    if (mount.type == "cgroup2") found = frozen_group(group, reader_below(mount.place));
    if (mount.type == "cgroup" && mount.place.ends_with("/freezer")) found = frozen_by_freezer(older, reader_below(mount.place));
    if (!found.empty()) return found;
  }
  return "";
}

}  // namespace dwell
