// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/files.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "userspace/base/output_file.h"
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

Result<void> write_file_atomically(const std::string& path, std::string_view content, unsigned mode) {
  Result<OutputFile> file = OutputFile::replace(path, mode);
  if (!file) return file.error();
  Result<void> written = file->write(content);
  return written ? file->commit() : written;
}

}  // namespace dwell
