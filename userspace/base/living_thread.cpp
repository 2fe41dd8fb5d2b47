// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/living_thread.h"

#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <filesystem>

namespace dwell {
namespace {

// What has no memory any more has no program; whose program may not be seen lives.
bool has_no_memory(pid_t thread) {
  char target[8];
  return ::readlink(fmt::format("/proc/{}/exe", thread).c_str(), target, sizeof target) < 0 && errno == ENOENT;
}

}  // namespace

pid_t living_thread(pid_t pid) {
  if (!has_no_memory(pid)) return pid;
  pid_t lowest = 0;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(fmt::format("/proc/{}/task", pid), error), end; !error && entry != end;
       entry.increment(error)) {
    std::string name = entry->path().filename();
    pid_t thread = 0;
    std::from_chars(name.data(), name.data() + name.size(), thread);
    bool lower = thread > 0 && (lowest == 0 || thread < lowest);
    if (lower && ::access(fmt::format("/proc/{}", thread).c_str(), F_OK) == 0 && !has_no_memory(thread)) lowest = thread;
  }
  return lowest ? lowest : pid;
}

}  // namespace dwell
