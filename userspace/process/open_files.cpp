// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/open_files.h"

#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <filesystem>

#include "userspace/base/files.h"
#include "userspace/base/living_thread.h"
#include "userspace/base/text.h"

namespace dwell {
namespace {

std::uint64_t number_in(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

std::uint64_t open_files_limit(std::string_view limits) {
  constexpr std::string_view kName = "Max open files";
  for (std::string_view line : split(limits, '\n')) {
    if (!line.starts_with(kName)) continue;
    std::vector<std::string_view> words = words_in(line.substr(kName.size()));
    return words.empty() ? 0 : number_in(words[0]);
  }
  return 0;
}

std::vector<std::uint64_t> sockets_in_close_wait(std::string_view table) {
  constexpr std::size_t kState = 3, kInode = 9;
  constexpr std::string_view kCloseWait = "08";  // include/net/tcp_states.h
  std::vector<std::uint64_t> inodes;
  for (std::string_view line : split(table, '\n')) {
    std::vector<std::string_view> fields = words_in(line);
    if (fields.size() > kInode && fields[kState] == kCloseWait) inodes.push_back(number_in(fields[kInode]));
  }
  return inodes;
}

Result<OpenFiles> read_open_files(pid_t pid) {
  pid_t tid = living_thread(pid);
  OpenFiles result;
  std::set<std::uint64_t> own;
  std::error_code error;
  for (std::filesystem::directory_iterator file(fmt::format("/proc/{}/fd", tid), error), end; !error && file != end; file.increment(error)) {
    ++result.open;
    char link[64];
    ssize_t n = ::readlink(file->path().c_str(), link, sizeof link);
    constexpr std::string_view kSocket = "socket:[";
    std::string_view target(link, n > 0 ? static_cast<std::size_t>(n) : 0);
    if (target.starts_with(kSocket)) own.insert(number_in(target.substr(kSocket.size())));
  }
  if (error && !result.open) return system_error(fmt::format("read /proc/{}/fd", pid), error.value());
  if (Result<std::string> limits = read_file(fmt::format("/proc/{}/limits", tid))) result.limit = open_files_limit(*limits);
  for (const char* protocol : {"tcp", "tcp6"}) {
    Result<std::string> table = read_file(fmt::format("/proc/{}/net/{}", tid, protocol));
    if (!table) continue;
    for (std::uint64_t inode : sockets_in_close_wait(*table))
      if (own.contains(inode)) result.left_by_peer.insert(inode);
  }
  return result;
}

}  // namespace dwell
