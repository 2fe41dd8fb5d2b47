// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/frozen_group.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
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

std::string frozen_group_of(pid_t pid) {
  Result<std::string> groups = read_file(fmt::format("/proc/{}/cgroup", living_thread(pid)), 1 << 16);
  if (!groups) return "";
  std::string group;
  for (std::string_view line : split(*groups, '\n'))
    if (line.starts_with("0::")) group = line.substr(3);
  if (group.size() < 2) return "";
  std::vector<Mount> mounts = mounts_of(::getpid());
  auto root = std::ranges::find(mounts, "cgroup2", &Mount::type);
  if (root == mounts.end()) return "";
  return frozen_group(group, [&](const std::string& path) -> std::optional<std::string> {
    Result<std::string> content = read_file(root->place + path, 1 << 12);
    return content ? std::optional(*content) : std::nullopt;
  });
}

}  // namespace dwell
