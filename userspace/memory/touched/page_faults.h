// SPDX-License-Identifier: Apache-2.0
// PageFaults: the kernel's side of who touches memory first, bpf/faults.bpf.c.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/collect/trace_core.h"

namespace dwell::memory {

class PageFaults {
 public:
  static Result<PageFaults> load(const TraceCore& core);
  PageFaults(PageFaults&&) noexcept;
  PageFaults& operator=(PageFaults&&) noexcept;
  ~PageFaults();

  // From then on faults are sent.
  Result<void> attach();
  // One of the processes whose faults are sent.
  void add_target(pid_t pid);
  // No fault of more pages than one in 2^shift from now on.
  void send_at_most(std::uint32_t shift);
  std::uint64_t skipped_runs() const;
  // Not more than so many a second on average, and so many at once, from now on; the others are chosen by their pages.
  void limit(double a_second, double at_once);
  struct Spent {
    std::uint64_t sent = 0, unsent = 0;  // faults of the targets
    std::uint64_t sent_ns = 0;           // that the programs took for those that were sent
  };
  Spent spent() const;
  void detach();

 private:
  struct Impl;
  explicit PageFaults(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace dwell::memory
