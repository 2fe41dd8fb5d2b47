// SPDX-License-Identifier: Apache-2.0
#include "userspace/collect/iterator.h"

#include <bpf/bpf.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "userspace/base/unique_fd.h"
#include "userspace/kernel/load_error.h"

namespace dwell {
namespace {

constexpr std::size_t kIteratorPiece = 64 << 10;  // the kernel gives half of that at once

}  // namespace

IteratorLink attach_iterator(const bpf_program* program, pid_t pid, std::uint32_t* target_tgid) {
  bpf_iter_link_info info{};
  info.task.pid = static_cast<std::uint32_t>(pid);
  LIBBPF_OPTS(bpf_iter_attach_opts, options, .link_info = &info, .link_info_len = sizeof info);
  if (IteratorLink link{bpf_program__attach_iter(program, &options)}) return link;
  if (!target_tgid || (errno != EINVAL && errno != E2BIG)) return nullptr;
  *target_tgid = static_cast<std::uint32_t>(pid);
  return IteratorLink(bpf_program__attach_iter(program, nullptr));
}

Result<std::string> run_iterator(const bpf_link* link, const std::string& doing) {
  UniqueFd file(::bpf_iter_create(bpf_link__fd(link)));
  if (!file.valid()) return bpf_error(doing, errno);
  return read_iterator(file.get(), doing);
}

Result<std::string> read_iterator(int fd, const std::string& doing, std::size_t expected) {
  std::string bytes;
  bytes.reserve(expected + kIteratorPiece);
  for (;;) {
    std::size_t size = bytes.size();
    bytes.resize(size + kIteratorPiece);
    ssize_t n = ::read(fd, bytes.data() + size, kIteratorPiece);
    int err = errno;
    bytes.resize(size + static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
    if (n < 0 && (err == EINTR || err == EAGAIN)) continue;
    if (n < 0) return system_error(doing, err);
    if (n == 0) return bytes;
  }
}

}  // namespace dwell
