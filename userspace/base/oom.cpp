// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/oom.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstring>

namespace dwell {
namespace {

constexpr const char* kAdjustment = "/proc/self/oom_score_adj";
constexpr const char* kFirstOfAll = "1000";

char before[16] = "";  // as the kernel wrote it; empty: not changed

bool write_adjustment(const char* value) {
  int fd = ::open(kAdjustment, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  bool written = ::write(fd, value, std::strlen(value)) == static_cast<ssize_t>(std::strlen(value));
  ::close(fd);
  return written;
}

}  // namespace

void offer_ourselves_to_oom() {
  int fd = ::open(kAdjustment, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  char value[sizeof before] = "";
  ssize_t size = ::read(fd, value, sizeof value - 1);
  ::close(fd);
  if (size <= 0 || !write_adjustment(kFirstOfAll)) return;
  std::memcpy(before, value, sizeof before);
}

// Only system calls: it runs between fork() and execve().
void withdraw_oom_offer() {
  if (before[0]) (void)write_adjustment(before);
}

}  // namespace dwell
