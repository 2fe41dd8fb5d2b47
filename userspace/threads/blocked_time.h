// SPDX-License-Identifier: Apache-2.0
// BlockedTime: for how long threads were blocked, by stack and by who woke them up, as the kernel's side sums
// it up.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bpf/blocked.h"
#include "userspace/base/result.h"
#include "userspace/recording/ids.h"
#include "userspace/collect/trace_core.h"
#include "userspace/threads/blocked_sites.h"

namespace dwell {

// A process that is not traced, or a thread of the kernel, that woke one up.
struct OutsideWaker {
  std::uint32_t pid = 0;  // 0: it is in no PID namespace that dwell sees, or no longer known
  std::string name;
};

struct BlockedSum {
  dwell_blocked_site site;
  OutsideWaker waker;
  bool waits = false;      // still
  std::uint64_t ns = 0, times = 0;
};

class BlockedTime {
 public:
  static Result<BlockedTime> load(const TraceCore& core);
  BlockedTime(BlockedTime&&) noexcept;
  BlockedTime& operator=(BlockedTime&&) noexcept;
  ~BlockedTime();

  // From then on waits count: when the unwind tables of the first process stand.
  Result<void> attach();
  // This thread, by its id in the initial PID namespace, waits there since then, and was never seen to block.
  // `stack` comes back as it is.
  void assume(Tid kernel_tid, ProcessSlot process, std::uint64_t stack, std::uint64_t since_ns);
  // It may have gone on before that was noted.
  void forget_assumed(Tid kernel_tid);
  // Sums, those that have not come back included up to `now_ns`.
  std::vector<BlockedSum> read(std::uint64_t now_ns) const;
  std::uint64_t skipped_runs() const;
  std::uint64_t lost() const;  // waits that are in no sum
  std::uint64_t run_time_ns() const;  // of the programs, for the targets
  void detach();

 private:
  struct Impl;
  explicit BlockedTime(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace dwell
