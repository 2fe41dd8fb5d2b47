// SPDX-License-Identifier: Apache-2.0
// Who could end waits that are for no pipe or socket: for children, file locks, semaphores and messages of System V, eventfds and
// message queues.
#pragma once

#include "userspace/threads/other_ends.h"

namespace dwell {

std::optional<WaitEnds> ends_of_child_wait(const BlockedCall& call);
std::optional<WaitEnds> ends_of_file_lock(const BlockedCall& call);
std::optional<WaitEnds> ends_of_system_v(const BlockedCall& call);
std::optional<WaitEnds> ends_of_shared_object(const BlockedCall& call);

// Pure. Who holds what `pid` waits for, by /proc/locks: 0: nobody that it names; none: it waits for no lock there.
struct FileLockHolder {
  pid_t pid = 0;
  bool of_process = false;  // a lock of fcntl(F_SETLK): the process's, not that of an open file
};
std::optional<FileLockHolder> lock_holder(std::string_view locks, pid_t pid);

}  // namespace dwell
