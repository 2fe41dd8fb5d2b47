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

namespace dwell {

class Descriptors {
 public:
  explicit Descriptors(pid_t pid) : pid_(pid) {}

  std::string describe(int fd);
  // What an epoll descriptor watches; none if the kernel doesn't tell us.
  std::optional<std::vector<int>> watched_by(int epoll_fd) const;
  // Why some could not be described, "" if all were.
  const std::string& problem() const { return problem_; }

 private:
  std::string describe_anew(int fd);
  std::string not_known() const;  // after a failed call
  std::string describe_socket(int fd, std::uint64_t inode);
  void read_sockets();

  pid_t pid_;
  std::map<int, std::string> known_;
  std::string problem_;
  bool sockets_read_ = false;
  std::map<std::uint64_t, std::string> sockets_;  // what to say of one, by inode
};

// Pure: the descriptors that an epoll descriptor watches, by its file in /proc/PID/fdinfo.
std::vector<int> parse_watched(std::string_view fdinfo);

// Pure: a line of /proc/PID/net/tcp, tcp6, udp or udp6; `protocol` is put before what listens or is not
// connected.
struct SocketLine {
  std::uint64_t inode = 0;
  std::string words;  // "to 127.0.0.1:6379", "listening at 0.0.0.0:80"
};
SocketLine parse_inet_socket(std::string_view line, std::string_view protocol);

}  // namespace dwell
