// SPDX-License-Identifier: Apache-2.0
#include "userspace/worker/channel.h"

#include <fmt/core.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace dwell {
namespace {

constexpr int kSliceMs = 100;
constexpr std::size_t kMostDescriptors = 4;
constexpr std::size_t kPiece = std::size_t{1} << 20;

union Control {
  cmsghdr header;
  char room[CMSG_SPACE(sizeof(int) * kMostDescriptors)];
};

void attach(msghdr& message, Control& control, std::span<const int> fds) {
  message.msg_control = control.room;
  message.msg_controllen = CMSG_SPACE(fds.size_bytes());
  control.header.cmsg_level = SOL_SOCKET;
  control.header.cmsg_type = SCM_RIGHTS;
  control.header.cmsg_len = CMSG_LEN(fds.size_bytes());
  std::memcpy(CMSG_DATA(&control.header), fds.data(), fds.size_bytes());
}

void take_descriptors(msghdr& message, std::vector<UniqueFd>& fds) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof fd);
      fds.emplace_back(fd);
    }
  }
}

}  // namespace

Result<std::pair<UniqueFd, UniqueFd>> Channel::make_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return system_error("connect two processes", errno);
  return std::pair{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Result<void> Channel::wait(short events, const Patience& patience) const {
  for (;;) {
    pollfd waited{socket_.get(), events, 0};
    int ready = ::poll(&waited, 1, patience ? kSliceMs : -1);
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return system_error("wait for another process", errno);
    std::string enough = patience ? patience() : "";
    if (!enough.empty()) return Error{enough, ""};
  }
}

Result<void> Channel::send(std::string_view bytes, std::span<const int> fds, const Patience& patience) const {
  std::string framed(sizeof(std::uint64_t), '\0');
  std::uint64_t size = bytes.size();
  std::memcpy(framed.data(), &size, sizeof size);
  framed += bytes;
  for (std::size_t done = 0; done < framed.size();) {
    if (Result<void> ready = wait(POLLOUT, patience); !ready) return ready;
    iovec piece{framed.data() + done, std::min(framed.size() - done, kPiece)};
    msghdr message{};
    Control control{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    if (done == 0 && !fds.empty()) attach(message, control, fds.first(std::min(fds.size(), kMostDescriptors)));
    ssize_t sent = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (sent < 0 && (errno == EPIPE || errno == ECONNRESET)) return Error{kOtherHasEnded, ""};
    if (sent < 0) return system_error("tell another process", errno);
    done += static_cast<std::size_t>(sent);
  }
  return {};
}

Result<Message> Channel::receive(std::size_t limit, const Patience& patience) const {
  Message result;
  std::uint64_t size = 0;
  std::size_t header = 0, body = 0;
  while (header < sizeof size || body < size) {
    if (Result<void> ready = wait(POLLIN, patience); !ready) return ready.error();
    bool in_header = header < sizeof size;
    if (!in_header) result.bytes.resize(std::max(result.bytes.size(), std::min<std::size_t>(size, body + kPiece)));
    iovec piece{in_header ? reinterpret_cast<char*>(&size) + header : result.bytes.data() + body,
                in_header ? sizeof size - header : result.bytes.size() - body};
    msghdr message{};
    Control control{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control.room;
    message.msg_controllen = sizeof control.room;
    ssize_t got = ::recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (got == 0 || (got < 0 && errno == ECONNRESET)) return Error{kOtherHasEnded, ""};
    if (got < 0) return system_error("hear another process", errno);
    take_descriptors(message, result.fds);
    (in_header ? header : body) += static_cast<std::size_t>(got);
    if (header == sizeof size && size > limit)
      return Error{fmt::format("the other process says {} bytes, of {} at most", size, limit), "", Exit::kBadInput};
  }
  return result;
}

}  // namespace dwell
