// SPDX-License-Identifier: Apache-2.0
// LockSums: waits for locks, and how long they were held after that, as the kernel's side sums them up
// (bpf/locks.bpf.c).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "bpf/locks.h"
#include "userspace/base/result.h"
#include "userspace/collect/trace_core.h"

namespace dwell {

class LockSums {
 public:
  static Result<LockSums> load(const TraceCore& core);
  LockSums(LockSums&&) noexcept;
  LockSums& operator=(LockSums&&) noexcept;
  ~LockSums();

  // From then on waits count.
  Result<void> attach();
  // One of the processes whose waits count.
  void add_target(pid_t pid);
  std::vector<std::pair<dwell_lock_wait_site, dwell_lock_wait_sums>> read() const;
  std::vector<std::pair<dwell_lock_hold_site, dwell_lock_wait_sums>> read_holds() const;
  // The kernel has no BPF trampolines, so each system call of the machine is looked at, and becomes dearer.
  bool follows_all_calls() const;
  std::uint64_t skipped_runs() const;
  std::uint64_t run_time_ns() const;  // of the programs, for the targets
  void detach();

 private:
  struct Impl;
  explicit LockSums(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace dwell
