// SPDX-License-Identifier: Apache-2.0
// Reads what a recording keeps of a process's memory as a whole, from /proc and the control groups, without a probe.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/process/memory_group.h"
#include "userspace/memory/account/look.h"
#include "userspace/memory/memory_usage.h"

namespace dwell {

class ProcessSampler {
 public:
  // Walked at 1 to 2.5 GB a second: the recording begins, and ends, some seconds later.
  static constexpr std::uint64_t kMostWalked = std::uint64_t{4} << 30;

  explicit ProcessSampler(pid_t pid);

  // None: it has no memory any more. About 50 us: no mapping is looked at.
  std::optional<MemorySample> sample(std::uint64_t now_ns);
  std::vector<ProcessLimit> limits() const;
  // Walks the page tables, and the heap of a process of at most `most_walked` bytes: once at the start and once at the end.
  // `owned`, if it is given: what the account was made of; empty where that could not be read.
  ProcessAccount account(std::uint64_t now_ns, memory::OwnedMemory* owned = nullptr, std::uint64_t most_walked = kMostWalked) const;

 private:
  pid_t pid_;
  MemoryGroup group_;  // whose use is sampled
};

// Pure. None: /proc/PID/status of a process that has no memory.
std::optional<MemorySample> sample_in(std::string_view status);
// The same of a process now, without its group and the machine; none: it has ended.
std::optional<MemorySample> read_memory_sample(pid_t pid);
// Pure: PSS in /proc/PID/smaps_rollup, in bytes; 0: it does not say.
std::uint64_t proportional_in(std::string_view rollup);
// Pure: MemAvailable of /proc/meminfo, in bytes.
std::uint64_t available_in(std::string_view meminfo);
ProcessAccount account_of(const memory::MemoryLook& look);

// Pure: why the heap of a process of that size is not walked while it is recorded; "": it is.
std::string why_not_walked(const MemorySample& sample, std::uint64_t most_walked = ProcessSampler::kMostWalked);

// For how long the next sample is to wait: often at first, and never for more than a hundredth of dwell's time.
std::uint64_t sample_pause_ns(std::uint64_t age_ns, std::uint64_t sampling_took_ns);

}  // namespace dwell
