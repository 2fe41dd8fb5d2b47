// SPDX-License-Identifier: Apache-2.0
// RandomStart: lets a window begin at any moment, and not only where the kernel's clock ticks.
//
// The first registration of a uprobe waits for a grace period (percpu_down_write() of kernel/events/uprobes.c's dup_mmap_sem),
// and that ends with a tick. A window that began then would keep step with whatever in the process has a period of some ticks,
// and meet it always or never. Registrations soon after the first one do not wait (kernel/rcu/sync.c). So a probe on a function
// of our own goes first, and then a random part of a tick passes.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "userspace/probes/attach.h"
#include "userspace/probes/background_close.h"

namespace dwell {

class RandomStart {
 public:
  explicit RandomStart(std::uint64_t seed);

  // Before probes of this kind are attached.
  void wait(const ProbeLinks& kind);

 private:
  std::vector<ProbeSite> idle_;  // one; none: there is no such function
  std::uint64_t tick_ns_;
  std::mt19937_64 random_;
  BackgroundClose closing_;
};

}  // namespace dwell
