// SPDX-License-Identifier: Apache-2.0
// What a recording holds of a process's memory as a whole, whoever allocated it: the kernel's counts over time, what RSS
// consisted of at the start and at the end, and the limits. Sizes are in bytes.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "userspace/memory/account/parts.h"

namespace dwell {

// The kernel's counts, of /proc/PID/status. They may be off by some pages a CPU: the kernel gathers them in batches.
struct MemorySample {
  std::uint64_t time_ns = 0;
  std::uint64_t anonymous = 0, file = 0, shared = 0;  // RssAnon, RssFile, RssShmem
  std::uint64_t swapped = 0;                          // VmSwap
  std::uint64_t address_space = 0, data = 0;          // VmSize, VmData: what RLIMIT_AS and RLIMIT_DATA count
  std::uint64_t group = 0;                            // memory.current of its control group; 0: not known
  std::uint64_t available = 0;                        // MemAvailable of the machine; 0: not known
  std::uint64_t resident() const { return anonymous + file + shared; }
  bool operator==(const MemorySample&) const = default;
};

enum class LimitKind : std::uint8_t {
  kGroup,  // memory.max, or memory.limit_in_bytes of version 1
  kAddressSpace,
  kData,
  kMachine,
  kGroupHigh,  // memory.high: the kernel slows the group down
};
constexpr std::uint64_t kLimitKinds = 5;

struct ProcessLimit {
  LimitKind kind = LimitKind::kGroup;
  std::string name;              // of a control group: its path
  std::uint64_t limit = 0;
  std::uint64_t in_use = 0;      // of a control group: without page cache that the kernel drops first
  std::uint64_t high = 0, max = 0, oom_kills = 0;  // of memory.events; max: memory.failcnt of version 1
  bool operator==(const ProcessLimit&) const = default;
};

// What RSS consisted of at one moment.
struct ProcessAccount {
  std::uint64_t time_ns = 0, duration_ns = 0;
  bool known = false;              // false: nothing could be read; `why` says why
  bool walked = false;             // live and free blocks were counted; false: they are in the mappings they lie in
  std::string why;                 // there are no blocks; "" if there are
  std::string allocators;          // "glibc 2.36, jemalloc 5.3"
  std::uint64_t resident = 0, swapped = 0, huge = 0;
  std::uint64_t proportional = 0;  // PSS: pages that n processes share count an nth in each; 0: unknown
  std::array<std::int64_t, memory::kParts> parts{};  // resident bytes; together they are `resident`
  std::uint64_t live_blocks = 0, live_bytes = 0;  // usable sizes, in memory or not
  std::uint64_t trimmable = 0;     // what malloc_trim(0) would give back
  std::uint64_t pinned = 0;        // free memory on pages that live blocks keep
  std::uint64_t lost = 0;          // bytes of heaps that could not be made sense of
  std::int64_t of(memory::Part part) const { return parts[static_cast<std::size_t>(part)]; }
  bool operator==(const ProcessAccount&) const = default;
};

struct MemoryUsage {
  std::vector<MemorySample> samples;  // in order of time
  ProcessAccount first, last;         // time_ns is 0: not recorded
  std::vector<ProcessLimit> limits;   // as they were last
  bool operator==(const MemoryUsage&) const = default;
};

}  // namespace dwell
