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

// "1234", or the name of the only process that is called so. A process whose parent has the same name is its worker:
// of a service with workers no single one is meant. Exit::kNoTarget where nothing or too much is called so.
Result<pid_t> find_process(const std::string& what);

// The same among these, for a `what` that is no number.
Result<pid_t> find_among(const std::string& name, const std::vector<NamedProcess>& processes);

}  // namespace dwell
