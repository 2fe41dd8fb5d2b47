// SPDX-License-Identifier: Apache-2.0
// What `dwell threads` shows of a Go program.
#pragma once

#include <sys/types.h>

#include <string>

#include "userspace/base/result.h"
#include "userspace/commands/options.h"

namespace dwell {

Result<Exit> show_goroutines(const ThreadsCommand& command, pid_t pid);

// In short, to stand behind the threads; "" if it is no Go program that can be read.
std::string goroutines_of(pid_t pid);

}  // namespace dwell
