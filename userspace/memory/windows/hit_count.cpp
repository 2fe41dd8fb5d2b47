// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/windows/hit_count.h"

#include <chrono>
#include <thread>

#include "userspace/base/clock.h"

namespace dwell::memory::windows {

Result<HitCount> count_hits(const KernelLevels& kernel, std::uint8_t slot, ProbeLinks links, const std::vector<ProbeSite>& sites, std::uint64_t most_ns,
                            std::uint64_t most_hits) {
  if (Result<std::vector<AttachedSite>> attached = links.try_attach(sites); !attached) return attached.error();
  std::uint64_t start_ns = monotonic_ns(), before = kernel.hits(slot);
  HitCount count;
  while (count.lasted_ns < most_ns && count.hits < most_hits) {
    std::this_thread::sleep_for(std::chrono::microseconds(500));
    count = {kernel.hits(slot) - before, monotonic_ns() - start_ns};
  }
  links.detach();
  return count;
}

}  // namespace dwell::memory::windows
