// SPDX-License-Identifier: Apache-2.0
// Looks at the descriptors of a process, by /proc and socket diagnostics; the process notices nothing.
#pragma once

#include <sys/types.h>

#include "userspace/base/result.h"
#include "userspace/files/look.h"

namespace dwell::files {

struct FilesLookOptions {
  pid_t pid = 0;
  bool holders = true;  // also who else has them open: reads the descriptors of every process
};

Result<FilesLook> look_at_files(const FilesLookOptions& options);

// Pure. Outgoing TCP connections by where they come from and lead to.
std::vector<PortUse> ports_in_use(const SocketTable& sockets);

}  // namespace dwell::files
