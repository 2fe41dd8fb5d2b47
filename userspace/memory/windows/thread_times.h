// SPDX-License-Identifier: Apache-2.0
// ThreadTimes: the CPU time of each thread of a process, exact to about a microsecond also for those that run: what /proc
// tells of them is up to a tick old, and a window is shorter than a tick (bpf/thread_times.bpf.c).
#pragma once

#include <sys/types.h>

#include <memory>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/memory/windows/thread_work.h"

namespace dwell::memory::windows {

class ThreadTimes {
 public:
  static Result<ThreadTimes> open(pid_t pid);
  ThreadTimes(ThreadTimes&&) noexcept;
  ~ThreadTimes();

  // Empty: the process has ended.
  std::vector<ThreadTime> read() const;

 private:
  struct Impl;
  explicit ThreadTimes(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace dwell::memory::windows
