// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/call_files.h"

#include <poll.h>
#include <sys/syscall.h>

#include <algorithm>

namespace dwell {
namespace {

constexpr std::uint64_t kMostPolled = 64;

CallFiles polled(const std::uint64_t (&args)[6], const CallTarget& target) {
  CallFiles found{.held = true, .others = args[1] > kMostPolled};
  for (std::uint64_t i = 0; i < std::min(args[1], kMostPolled); ++i) {
    pollfd one{};
    if (!target.memory(args[0] + i * sizeof one, &one, sizeof one)) {
      found.others = true;
      continue;
    }
    if (one.fd >= 0) found.files.push_back({one.fd, (one.events & POLLIN) != 0, (one.events & POLLOUT) != 0});
  }
  return found;
}

bool is_in_set(std::uint64_t set, int fd, const CallTarget& target) {
  std::uint64_t bits = 0;
  return set && target.memory(set + static_cast<std::uint64_t>(fd) / 64 * 8, &bits, sizeof bits) && bits >> (fd % 64) & 1;
}

CallFiles selected_files(const std::uint64_t (&args)[6], const CallTarget& target) {
  CallFiles found{.held = true};
  for (int fd = 0; fd < std::clamp(static_cast<int>(args[0]), 0, 1024); ++fd) {
    CallFile file{fd, is_in_set(args[1], fd, target), is_in_set(args[2], fd, target)};
    if (file.reads || file.writes || is_in_set(args[3], fd, target)) found.files.push_back(file);
  }
  return found;
}

// Another thread may add descriptors to a set that is waited for, but that takes a thread that runs.
CallFiles of_epoll(int epoll, const CallTarget& target) {
  CallFiles found;
  std::optional<std::vector<int>> watched = target.watched_by(epoll);
  found.others = !watched;
  if (watched)
    for (int fd : *watched) found.files.push_back({fd});
  return found;
}

}  // namespace

CallFiles files_of_call(std::uint64_t call, const std::uint64_t (&args)[6], const CallTarget& target) {
  int first = static_cast<int>(args[0]);
  switch (call) {
    case SYS_read:
    case SYS_readv:
    case SYS_preadv2:
    case SYS_recvfrom:
    case SYS_recvmsg:
    case SYS_recvmmsg:
      return {.files = {{first, true, false}}};
    case SYS_write:
    case SYS_writev:
    case SYS_pwritev2:
    case SYS_sendto:
    case SYS_sendmsg:
    case SYS_sendmmsg:
    case SYS_sendfile:
      return {.files = {{first, false, true}}};
    case SYS_splice:
      return {.files = {{first, true, false}, {static_cast<int>(args[2]), false, true}}, .others = true};
    case SYS_poll:
    case SYS_ppoll:
      return polled(args, target);
    case SYS_select:
    case SYS_pselect6:
      return selected_files(args, target);
    case SYS_epoll_wait:
    case SYS_epoll_pwait:
    case SYS_epoll_pwait2:
      return of_epoll(first, target);
    default:
      return {};
  }
}

}  // namespace dwell
