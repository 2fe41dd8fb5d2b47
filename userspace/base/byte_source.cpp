// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/byte_source.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace dwell {
namespace {

Result<std::uint64_t> size_of_regular(int fd, const std::string& path) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return system_error("stat " + path, errno);
  if (!S_ISREG(status.st_mode)) return Error{"open " + path + ": not a regular file", "", Exit::kBadInput};
  return static_cast<std::uint64_t>(status.st_size);
}

}  // namespace

Result<ByteSource> ByteSource::open(const std::string& path) {
  UniqueFd looked_at(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!looked_at.valid()) return system_error("open " + path, errno);
  if (Result<std::uint64_t> regular = size_of_regular(looked_at.get(), path); !regular) return regular.error();
  constexpr int kHow = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  UniqueFd file(::open(fmt::format("/proc/self/fd/{}", looked_at.get()).c_str(), kHow));
  if (!file.valid() && errno == ENOENT) file.reset(::open(path.c_str(), kHow));  // there is no /proc
  if (!file.valid()) return system_error("open " + path, errno);
  Result<std::uint64_t> size = size_of_regular(file.get(), path);
  if (!size) return size.error();
  return ByteSource(path, std::move(file), *size);
}

Result<std::span<const std::byte>> ByteSource::read(std::uint64_t offset, std::size_t count) {
  if (offset >= size_) return std::span<const std::byte>();
  count = static_cast<std::size_t>(std::min<std::uint64_t>(count, size_ - offset));
  if (!file_.valid()) return bytes_.subspan(offset, count);
  if (buffer_.size() < count) buffer_.resize(count);
  std::size_t done = 0;
  while (done < count) {
    ssize_t n = ::pread(file_.get(), buffer_.data() + done, count - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error("read " + path_, errno);
    if (n == 0) break;  // it has become shorter
    done += static_cast<std::size_t>(n);
  }
  return std::span<const std::byte>(buffer_).first(done);
}

}  // namespace dwell
