// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/descriptors.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

#include "userspace/base/files.h"
#include "userspace/base/living_thread.h"
#include "userspace/base/privileges.h"
#include "userspace/base/text.h"

namespace dwell {
namespace {

std::uint64_t number(std::string_view text, int base) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, base);
  return value;
}

std::uint64_t inode_in(std::string_view link) {  // "socket:[1234]"
  std::size_t bracket = link.find('[');
  return bracket == link.npos ? 0 : number(link.substr(bracket + 1), 10);
}

}  // namespace

std::string socket_words(const Socket& socket) {
  if (socket.listening) return "listening at " + socket.local;
  if (!socket.peer.empty()) return "to " + socket.peer;
  if (socket.local.empty()) return "";
  if (socket.protocol.starts_with("UNIX")) return "at " + socket.local;
  return fmt::format("({} at {})", socket.protocol, socket.local);
}

std::string Descriptors::describe_socket(int fd, std::uint64_t inode) {
  if (!sockets_) sockets_ = SocketTable::read(pid_);
  const Socket* socket = sockets_->find(inode);
  std::string words = socket ? socket_words(*socket) : "";
  return words.empty() ? fmt::format("socket {}", fd) : fmt::format("socket {} {}", fd, words);
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
  std::string path(link);
  bool nowhere = path.starts_with("/memfd:") || path.starts_with("/SYSV");  // of the kernel's own
  std::string system = nowhere ? "" : file_system(AT_FDCWD, path);
  return fmt::format("file {} ({}{}{})", fd, path, system.empty() ? "" : ", ", system);
}

std::string Descriptors::file_system(int folder, const std::string& path) {
  std::string whole = path;
  if (!path.starts_with("/")) {
    char buffer[4096];
    std::string of = folder < 0 ? fmt::format("/proc/{}/cwd", living_thread(pid_)) : fmt::format("/proc/{}/fd/{}", living_thread(pid_), folder);
    ssize_t n = ::readlink(of.c_str(), buffer, sizeof buffer);
    if (n <= 0) return "";
    whole = std::string(buffer, static_cast<std::size_t>(n)) + "/" + path;
  }
  if (!mounts_) mounts_ = mounts_of(pid_);
  return file_system_words(*mounts_, whole);
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
