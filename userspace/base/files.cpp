// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/files.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "userspace/base/unique_fd.h"

namespace dwell {

Error system_error(const std::string& doing, int err, std::string hint) {
  Exit exit = (err == EPERM || err == EACCES) ? Exit::kNotPermitted : Exit::kFailed;
  return {fmt::format("{}: {}", doing, std::strerror(err)), std::move(hint), exit};
}

Result<std::string> read_file(const std::string& path, std::size_t limit) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return system_error("open " + path, errno);
  std::string content;
  char buffer[65536];
  for (;;) {
    ssize_t n = ::read(fd.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error("read " + path, errno);
    if (n == 0) return content;
    if (content.size() + n > limit) {
      return Error{fmt::format("read {}: longer than the {} bytes that are expected at most", path, limit), "",
                   Exit::kBadInput};
    }
    content.append(buffer, n);
  }
}

namespace {

Result<void> write_all(int fd, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    ssize_t n = ::write(fd, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      Error error = system_error("write " + path, errno);
      error.exit = Exit::kOutput;
      return error;
    }
    content.remove_prefix(n);
  }
  return {};
}

}  // namespace

Result<void> write_file_atomically(const std::string& path, std::string_view content, unsigned mode) {
  std::string temporary = fmt::format("{}.{}.tmp", path, ::getpid());
  UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!fd.valid()) {
    Error error = system_error("create " + temporary, errno, "choose a folder that can be written to, with -o");
    error.exit = Exit::kOutput;
    return error;
  }
  Result<void> written = write_all(fd.get(), content, temporary);
  if (written && ::fsync(fd.get()) != 0) written = system_error("sync " + temporary, errno);
  if (written && ::rename(temporary.c_str(), path.c_str()) != 0)
    written = system_error("rename " + temporary + " to " + path, errno);
  if (!written) ::unlink(temporary.c_str());
  return written;
}

}  // namespace dwell
