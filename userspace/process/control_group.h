// SPDX-License-Identifier: Apache-2.0
// ControlGroup: from what a user calls a group of processes (a path, a systemd unit, a container) to its folder below
// /sys/fs/cgroup, and who is in it. No daemon is asked.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "userspace/base/result.h"

namespace dwell {

struct ControlGroup {
  std::string path;    // below its hierarchy: "/system.slice/nginx.service"
  std::string folder;  // "/sys/fs/cgroup/system.slice/nginx.service"
};

// A path, absolute or below the root of the hierarchy; the name of a systemd unit, with or without ".service"; the id of a
// container of docker, podman, containerd, CRI-O or nerdctl, or a prefix of it; the UID of a Kubernetes pod; the name of an LXC
// container or of a machine of systemd-nspawn. Exit::kNoTarget where there is none, or several.
Result<ControlGroup> find_control_group(const std::string& what);

// Processes that are in it or in one of its descendants now, ascending, in our PID namespace.
std::vector<pid_t> processes_in(const ControlGroup& group);

// Pure: those of these paths that are called so. Of nested ones, the outermost.
std::vector<std::string> groups_called(std::string_view what, const std::vector<std::string>& paths);

}  // namespace dwell
