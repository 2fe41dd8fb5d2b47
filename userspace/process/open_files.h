// SPDX-License-Identifier: Apache-2.0
// OpenFile: one file descriptor of a process: what /proc/PID/fd, fdinfo and the inode say of it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/base/result.h"

namespace dwell {

enum class FileKind : std::uint8_t {
  kFile = 0,
  kDeleted,  // a file without a name left: its blocks are freed at the last close
  kMemfd,
  kSharedMemory,  // of System V
  kDirectory,
  kTerminal,
  kCharacterDevice,
  kBlockDevice,
  kSocket,
  kPipe,
  kFifo,
  kMessageQueue,
  kEventfd,
  kEpoll,
  kInotify,
  kFanotify,
  kTimerfd,
  kSignalfd,
  kPidfd,
  kIoUring,
  kUserfaultfd,
  kPerfEvent,
  kBpf,
  kNamespace,
  kOther,
  kKinds,
};
std::string_view name_of(FileKind kind);  // "deleted file", "eventfd"

// A lock that this descriptor's open file has on its file, or on a part of it.
enum class FileLockKind : std::uint8_t {
  kFlock,
  kFcntl,
  kOpenFile /* fcntl's F_OFD_SETLK */,
  kLease,
  kDelegation,
  kKinds
};
std::string_view name_of(FileLockKind kind);  // "flock", "fcntl", "open file", "lease", "delegation"
struct FileLock {
  FileLockKind kind = FileLockKind::kFlock;
  bool writes = false;                 // exclusive
  std::uint64_t from = 0;              // bytes
  std::optional<std::uint64_t> until;  // the last one; none: to the end of the file
  bool operator==(const FileLock&) const = default;
};

struct OpenFile {
  int fd = -1;
  FileKind kind = FileKind::kOther;
  std::string link;         // as /proc/PID/fd has it: "/var/log/a.log", "socket:[4711]", "anon_inode:[eventfd]"
  std::string name;         // path, or what the kernel calls it: "/var/log/a.log", "" of sockets and pipes
  std::uint64_t inode = 0;  // of sockets, pipes and files; 0: one that others share
  std::uint64_t device = 0;  // of files
  std::uint64_t size = 0;   // bytes: of files, deleted files, memfds and shared memory
  bool readable = false, writable = false;
  // eventfd: its counter; epoll: descriptors it watches; inotify, fanotify: watches; io_uring: registered files.
  std::optional<std::uint64_t> count;
  std::vector<int> watched;  // epoll
  pid_t process = 0;         // pidfd: as we see it; 0: it has ended, or is not known here
  std::vector<FileLock> locks;
};

struct OpenFiles {
  std::vector<OpenFile> files;  // by descriptor
  std::uint64_t limit = 0;      // RLIMIT_NOFILE, soft; 0: none
};

// Exit::kNotPermitted where the descriptors of this process may not be listed.
Result<OpenFiles> read_open_files(pid_t pid);

// What the inode behind a descriptor says; zeros: it could not be asked.
struct InodeFacts {
  std::uint32_t mode = 0;
  std::uint64_t size = 0;
  std::uint32_t links = 1;
  std::uint64_t inode = 0, device = 0;
};
// Pure. By its link in /proc/PID/fd.
OpenFile classify_file(std::string_view link, const InodeFacts& inode);
// Pure. What /proc/PID/fdinfo adds.
void add_fdinfo(std::string_view fdinfo, OpenFile& file);
// Pure. The inodes that /proc/locks has locks on.
std::set<std::uint64_t> locked_inodes(std::string_view locks);
// Pure. Of /proc/PID/limits; 0: unlimited.
std::uint64_t open_files_limit(std::string_view limits);

}  // namespace dwell
