// SPDX-License-Identifier: Apache-2.0
// Ids as a process itself knows them: those of its innermost PID namespace. Lock words and system calls name
// others by them; here they are translated to the ids of dwell's namespace, by /proc/PID/status (NSpid).
#pragma once

#include <sys/types.h>

#include <optional>
#include <string_view>
#include <vector>

#include "userspace/recording/model.h"

namespace dwell {

// Ids of a task, from dwell's namespace to its innermost one. Pure: of the text of its status.
std::vector<pid_t> namespace_ids(std::string_view status);

// The thread of that process that calls itself so, as dwell numbers it.
std::optional<Tid> thread_that_calls_itself(pid_t process, Tid own_tid);

// The same of any process in the PID namespace of `beside`. Looks at all of them: for rare cases.
struct OwnThread {
  pid_t process;
  Tid tid;
};
std::optional<OwnThread> thread_anywhere_beside(pid_t beside, Tid own_tid);

// The child that `parent` knows by that id.
std::optional<pid_t> child_known_as(pid_t parent, pid_t id);

}  // namespace dwell
