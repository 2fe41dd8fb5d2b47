// SPDX-License-Identifier: Apache-2.0
// How often probes are hit, counted for a moment in which the BPF programs do nothing else.
#pragma once

#include <cstdint>
#include <vector>

#include "userspace/memory/windows/kernel_levels.h"
#include "userspace/probes/attach.h"

namespace dwell::memory::windows {

struct HitCount {
  std::uint64_t hits = 0, lasted_ns = 0;
};

// Attaches, counts for `most_ns` or up to about `most_hits`, and takes the probes away. The process is at DWELL_LEVEL_CLOSED.
Result<HitCount> count_hits(const KernelLevels& kernel, std::uint8_t slot, ProbeLinks links, const std::vector<ProbeSite>& sites, std::uint64_t most_ns,
                            std::uint64_t most_hits);

}  // namespace dwell::memory::windows
