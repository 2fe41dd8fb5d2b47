// SPDX-License-Identifier: Apache-2.0
// The child processes that a process has: a server's workers, in which what is looked for mostly happens.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace dwell {

struct ChildProcess {
  pid_t pid = 0;
  std::string name;          // comm
  std::uint64_t cpu_ns = 0;  // that it has used
};

// Those that run at this moment, the busiest first.
std::vector<ChildProcess> children_of(pid_t pid);

// "it has 2 child processes, which are not recorded: 31 (nginx), 32 (nginx); for one of them: dwell record -p 31". `what`
// is what they are not ("recorded"), `command` what to type. "" without children.
std::string children_note(std::span<const ChildProcess> children, const std::string& what, const std::string& command);

}  // namespace dwell
