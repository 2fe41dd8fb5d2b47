// SPDX-License-Identifier: Apache-2.0
// Whether a process is frozen with its control group, of version 2 or of the freezer of version 1: its threads sleep then, and
// seem to wait for something.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>

namespace dwell {

// The group that was frozen, which may be an ancestor of its own; "" if it is not.
std::string frozen_group_of(pid_t pid);

// Pure. The same of a group; `read` gives the content of a file below the root of the groups: "/a/b/cgroup.freeze".
using GroupFileReader = std::function<std::optional<std::string>(const std::string& path)>;
std::string frozen_group(const std::string& group, const GroupFileReader& read);
// Pure. The same of a group of version 1.
std::string frozen_by_freezer(const std::string& group, const GroupFileReader& read);

}  // namespace dwell
