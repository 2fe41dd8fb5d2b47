// SPDX-License-Identifier: Apache-2.0
// What /proc/PID/smaps says of each mapping, without its pauses: smaps holds the process's mmap_lock for a whole mapping, 13 ms
// for each GB of it, and threads that map memory wait. Linux 6.7 and newer scan page tables in pieces (PAGEMAP_SCAN).
#pragma once

#include <sys/types.h>

#include <optional>
#include <vector>

#include "userspace/memory/account/smaps.h"

namespace dwell::memory {

// None: the kernel cannot, or the process has reserved huge pages, which are told apart by smaps alone.
std::optional<std::vector<MappingUse>> scan_pages(pid_t pid);

}  // namespace dwell::memory
