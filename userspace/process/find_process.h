// SPDX-License-Identifier: Apache-2.0
// From what a user calls a process to its id.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "userspace/base/result.h"

namespace dwell {

struct NamedProcess {
  pid_t pid = 0, parent = 0;
  std::string name;  // comm
};

// All that run now, without us.
std::vector<NamedProcess> running_processes();

// Pure: these processes and all below them, each once; without `own` and what is below that.
std::vector<pid_t> tree_of(const std::vector<pid_t>& roots, const std::vector<NamedProcess>& processes, pid_t own);
// Pure: those that are called so, ascending.
std::vector<pid_t> all_called(const std::string& name, const std::vector<NamedProcess>& processes);

// "1234", or the name of the only process that is called so. A process whose parent has the same name is its worker:
// of a service with workers no single one is meant. Exit::kNoTarget where nothing or too much is called so.
Result<pid_t> find_process(const std::string& what);

// The same among these, for a `what` that is no number.
Result<pid_t> find_among(const std::string& name, const std::vector<NamedProcess>& processes);

}  // namespace dwell
