// SPDX-License-Identifier: Apache-2.0
// ProcessFacts: what /proc tells about a process that we are about to trace.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/base/result.h"

namespace dwell {

struct ProcessFacts {
  pid_t pid = 0;         // of the whole process, in our PID namespace
  bool main_thread_ended = false;  // while others go on
  std::string name;      // comm
  std::string command_line;
  std::string container; // id of its container, "" if it is in none
  std::vector<pid_t> namespace_pids;  // from ours to its innermost namespace
};

// An Error with Exit::kNoTarget if there is none, kUnsupported for a kernel thread, and what to do if `pid`
// is a thread and not a process.
Result<ProcessFacts> read_process(pid_t pid);

// It is gone, or a zombie that waits for its parent.
bool process_has_ended(pid_t pid);

// CPU time that the process has used, all its threads, those that ended too. None: it is gone.
std::optional<std::uint64_t> process_cpu_ns(pid_t pid);

// The same of ourselves, and of the processes that work for us.
std::uint64_t own_cpu_ns();
void add_cpu_of_helper(std::uint64_t ns);

// The user as whom a process acts; ~0u: it is gone.
uid_t owner_of(pid_t pid);

// Pure: the value of "Name:\t..." in /proc/PID/status; "" if there is none.
std::string status_field(std::string_view status, std::string_view name);

// Pure: a field of /proc/PID/stat by its number in proc(5), from 3 on, which come behind the name; "" if there is none.
std::string_view stat_field(std::string_view stat, int number);

// Since its start, time in which the machine was suspended included; none: it is gone.
std::optional<std::uint64_t> process_age_ns(pid_t pid);

// Pure: the container's id in the text of /proc/PID/cgroup: the last run of 64 hex digits in a path.
std::string container_in_cgroup(const std::string& cgroup);

}  // namespace dwell
