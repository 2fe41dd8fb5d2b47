// SPDX-License-Identifier: Apache-2.0
// Through which thread a process can be looked at. Where its main thread has ended while others go on, /proc/PID and
// process_vm_readv() of its id find no memory, files or root; /proc/TID of a thread that lives shows all of them.
#pragma once

#include <sys/types.h>

namespace dwell {

// The process's own id, or where its main thread has ended the lowest id of those that live. The id itself as well
// where nothing is known of it, or none lives.
pid_t living_thread(pid_t pid);

}  // namespace dwell
