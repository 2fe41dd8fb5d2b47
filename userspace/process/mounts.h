// SPDX-License-Identifier: Apache-2.0
// Mounts of a process: which file system a path lies on, where that may have to be waited for.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

namespace dwell {

struct Mount {
  std::string place;   // "/mnt/data"
  std::string type;    // "nfs4", "fuse.sshfs"
  std::string source;  // "server:/export", "/dev/vda1"
};

std::vector<Mount> mounts_of(pid_t pid);
// Pure. Of /proc/PID/mountinfo.
std::vector<Mount> parse_mounts(std::string_view mountinfo);
// Pure. The one that an absolute path lies on, by its longest place, the last one where several are mounted there; null: none.
const Mount* mount_of(const std::vector<Mount>& mounts, std::string_view path);
// "on nfs4 from server:/export, mounted at /mnt"; "" of a path that this machine's own kernel answers for.
std::string file_system_words(const std::vector<Mount>& mounts, std::string_view path);
// Pure. Somebody else has to answer: a server, or another process.
bool is_answered_elsewhere(const Mount& mount);

}  // namespace dwell
