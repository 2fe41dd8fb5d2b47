// SPDX-License-Identifier: Apache-2.0
// Descriptors: what a process's file descriptors are, in words: "socket 5 to 127.0.0.1:6379".
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/process/mounts.h"
#include "userspace/process/sockets.h"

namespace dwell {

class Descriptors {
 public:
  explicit Descriptors(pid_t pid) : pid_(pid) {}

  std::string describe(int fd);
  // What an epoll descriptor watches; none if the kernel doesn't tell us.
  std::optional<std::vector<int>> watched_by(int epoll_fd) const;
  // Of a path that the process uses, relative to one of its folders (a descriptor or AT_FDCWD): who else has to answer for its
  // file system: "on nfs4 from server:/export, mounted at /mnt"; "" if nobody has to.
  std::string file_system(int folder, const std::string& path);
  // Why some could not be described, "" if all were.
  const std::string& problem() const { return problem_; }

 private:
  std::string describe_anew(int fd);
  std::string not_known() const;  // after a failed call
  std::string describe_socket(int fd, std::uint64_t inode);

  pid_t pid_;
  std::map<int, std::string> known_;
  std::string problem_;
  std::optional<std::vector<Mount>> mounts_;
  std::optional<SocketTable> sockets_;  // once one was asked about
};

// Pure: the descriptors that an epoll descriptor watches, by its file in /proc/PID/fdinfo.
std::vector<int> parse_watched(std::string_view fdinfo);

// Pure: what is said of a socket behind its number: "to 127.0.0.1:6379", "listening at 0.0.0.0:80"; "": nothing is known.
std::string socket_words(const Socket& socket);

}  // namespace dwell
