// SPDX-License-Identifier: Apache-2.0
// Surroundings: what the place that dwell runs in keeps from it: a container's namespaces, mounts that are
// missing, a /proc that hides. Told by /proc and /sys alone; privileges are userspace/base/privileges.h.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "userspace/base/result.h"

namespace dwell {

struct Surrounding {
  std::string name;    // "PID namespace"
  std::string detail;  // what it means for dwell, in one line
  std::string hint;    // what to change; may be empty
  bool refuses;        // BPF programs can't be used at all
};

// Only what matters; empty on a plain host, as root.
std::vector<Surrounding> surroundings();

// That nothing in them keeps BPF programs from being used. Error::what begins with `doing`.
Result<void> expect_bpf_surroundings(const std::string& doing);

bool in_initial_pid_namespace();

// Pure. What a mount's line in /proc/self/mountinfo says of one option of the file system at `place`, the
// topmost mount there: its value, "" if it is not set or nothing is mounted there.
std::string mount_option(std::string_view mountinfo, std::string_view place, std::string_view option);

}  // namespace dwell
