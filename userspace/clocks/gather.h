// SPDX-License-Identifier: Apache-2.0
// From what was counted in the kernel to figures by call site.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "bpf/clocks.h"
#include "userspace/clocks/read_watch.h"
#include "userspace/clocks/look.h"

namespace dwell {

struct ClockCounts {
  ReadWatchState watch;
  std::vector<std::pair<dwell_read_key, std::uint64_t>> reads;  // only those of samples are looked at
  std::vector<std::pair<dwell_wait_key, dwell_wait_stats>> waits;
  std::vector<std::pair<std::uint32_t, dwell_open_wait>> open_waits;
  std::vector<std::pair<dwell_pair_key, dwell_pair_stats>> pairs;
  dwell_sample_totals samples{};
  std::uint64_t sample_period_ns = 0;
  std::vector<std::pair<ProcessSlot, pid_t>> processes;
  std::uint64_t now_ns = 0;
  double vdso_read_ns = 0, vdso_coarse_ns = 0;  // what one read costs, measured
};

// How the walks' identities become stacks, and what is known of them.
struct ClockStacks {
  std::function<StackId(std::uint64_t identity)> id_of;
  // Whether a walk that begins in the vDSO came there through a function that has a probe.
  std::function<bool(std::uint64_t identity)> through_probe;
  // The walk's frames, by whatever tells one from another, but for those in the vDSO.
  std::function<std::vector<std::uint64_t>(std::uint64_t identity)> frames;
};

// All but the steps.
ClockLook gather_clocks(const ClockCounts& counts, const ClockStacks& stacks);

}  // namespace dwell
