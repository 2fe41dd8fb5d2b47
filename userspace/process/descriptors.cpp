// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/descriptors.h"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "userspace/base/files.h"
#include "userspace/base/living_thread.h"
#include "userspace/base/privileges.h"
#include "userspace/base/text.h"

namespace dwell {
namespace {

constexpr std::uint64_t kListening = 0x0a;

std::uint64_t number(std::string_view text, int base) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, base);
  return value;
}

// "0100007F:18EB": each four bytes of the address are a word of this machine.
std::string endpoint(std::string_view text) {
  std::size_t colon = text.find(':');
  if (colon == text.npos || (colon != 8 && colon != 32)) return "?";
  unsigned char bytes[16] = {};
  for (std::size_t i = 0; i < colon / 8; ++i) {
    std::uint32_t word = static_cast<std::uint32_t>(number(text.substr(i * 8, 8), 16));
    std::memcpy(bytes + i * 4, &word, 4);
  }
  std::uint64_t port = number(text.substr(colon + 1), 16);
  char address[INET6_ADDRSTRLEN] = {};
  static constexpr unsigned char kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  bool mapped = colon == 32 && std::memcmp(bytes, kMapped, sizeof kMapped) == 0;
  if (colon == 8 || mapped) {
    ::inet_ntop(AF_INET, bytes + (mapped ? 12 : 0), address, sizeof address);
    return fmt::format("{}:{}", address, port);
  }
  ::inet_ntop(AF_INET6, bytes, address, sizeof address);
  return fmt::format("[{}]:{}", address, port);
}

std::uint64_t inode_in(std::string_view link) {  // "socket:[1234]"
  std::size_t bracket = link.find('[');
  return bracket == link.npos ? 0 : number(link.substr(bracket + 1), 10);
}

}  // namespace

SocketLine parse_inet_socket(std::string_view line, std::string_view protocol) {
  std::vector<std::string_view> fields = words_in(line);
  if (fields.size() < 10 || fields[1].find(':') == std::string_view::npos) return {};
  bool connected = fields[2].size() > 5 && fields[2].substr(fields[2].size() - 4) != "0000";
  SocketLine socket;
  socket.inode = number(fields[9], 10);
  if (connected)
    socket.words = "to " + endpoint(fields[2]);
  else if (number(fields[3], 16) == kListening)
    socket.words = "listening at " + endpoint(fields[1]);
  else
    socket.words = fmt::format("({} at {})", protocol, endpoint(fields[1]));
  return socket;
}

void Descriptors::read_sockets() {
  sockets_read_ = true;
  for (const char* protocol : {"tcp", "tcp6", "udp", "udp6"}) {
    Result<std::string> table = read_file(fmt::format("/proc/{}/net/{}", living_thread(pid_), protocol));
    if (!table) continue;
    for (std::string_view line : split(*table, '\n')) {
      SocketLine socket = parse_inet_socket(line, std::string_view(protocol).substr(0, 3));
      if (socket.inode) sockets_[socket.inode] = socket.words;
    }
  }
  Result<std::string> table = read_file(fmt::format("/proc/{}/net/unix", living_thread(pid_)));
  if (!table) return;
  for (std::string_view line : split(*table, '\n')) {
    std::vector<std::string_view> fields = words_in(line);
    if (fields.size() >= 8 && !fields[7].empty())
      sockets_[number(fields[6], 10)] = fmt::format("at {}", fields[7]);
  }
}

std::string Descriptors::describe_socket(int fd, std::uint64_t inode) {
  if (!sockets_read_) read_sockets();
  auto socket = sockets_.find(inode);
  return socket == sockets_.end() ? fmt::format("socket {}", fd)
                                  : fmt::format("socket {} {}", fd, socket->second);
}

std::string Descriptors::not_known() const {
  Error error = system_error(fmt::format("what descriptors are is not known: read /proc/{}/fd", pid_), errno);
  return fmt::format("{}: {}", error.what, privilege_hint({Capability::kDacReadSearch, Capability::kSysPtrace}));
}

std::string Descriptors::describe_anew(int fd) {
  char buffer[4096];
  ssize_t n = ::readlink(fmt::format("/proc/{}/fd/{}", living_thread(pid_), fd).c_str(), buffer, sizeof buffer);
  if (n < 0 && errno != ENOENT && problem_.empty())
    problem_ = not_known();
  if (n < 0) return fmt::format("descriptor {}", fd);
  std::string_view link(buffer, static_cast<std::size_t>(n));
  if (link.starts_with("socket:")) return describe_socket(fd, inode_in(link));
  if (link.starts_with("pipe:")) return fmt::format("pipe {}", fd);
  constexpr std::string_view kAnonymous = "anon_inode:";
  if (link.starts_with(kAnonymous)) {
    link.remove_prefix(kAnonymous.size());
    if (link.starts_with("[")) link = link.substr(1, link.size() - 2);
    return fmt::format("{} {}", link == "eventpoll" ? "epoll" : link, fd);
  }
  if (link.starts_with("/dev/pts/") || link.starts_with("/dev/tty"))
    return fmt::format("terminal {} ({})", fd, link);
  return fmt::format("file {} ({})", fd, link);
}

std::string Descriptors::describe(int fd) {
  auto [known, fresh] = known_.try_emplace(fd);
  if (fresh) known->second = describe_anew(fd);
  return known->second;
}

std::optional<std::vector<int>> Descriptors::watched_by(int epoll_fd) const {
  Result<std::string> info = read_file(fmt::format("/proc/{}/fdinfo/{}", living_thread(pid_), epoll_fd));
  if (!info) return std::nullopt;
  return parse_watched(*info);
}

std::vector<int> parse_watched(std::string_view fdinfo) {
  std::vector<int> watched;
  for (std::string_view line : split(fdinfo, '\n')) {
    std::vector<std::string_view> fields = words_in(line);
    if (fields.size() > 1 && fields[0] == "tfd:") watched.push_back(static_cast<int>(number(fields[1], 10)));
  }
  return watched;
}

}  // namespace dwell
