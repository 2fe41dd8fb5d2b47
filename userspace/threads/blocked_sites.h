// SPDX-License-Identifier: Apache-2.0
// For how long threads were blocked since the recording began: where, and who woke them up.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "userspace/threads/tick.h"

namespace dwell {

// Of threads that waited at the same place; waits that have not ended included.
struct BlockedSite {
  ThreadSite site;
  std::uint64_t ns = 0, times = 0;
  bool operator==(const BlockedSite&) const = default;
};

enum class WakerKind : std::uint8_t {
  kUnknown = 0,  // it was not seen
  kThread,       // of a process that is recorded
  kOutside,      // a thread of another process
  kKernel,       // a thread of the kernel
  kInterrupt,    // no thread at all: a timer, or a device
  kKinds,
};

struct Waker {
  WakerKind kind = WakerKind::kUnknown;
  ThreadSite site;        // of kThread
  std::uint32_t pid = 0;  // of kOutside
  std::string name;       // of kOutside and kKernel; may be empty
  auto operator<=>(const Waker&) const = default;
};

// The waits at one place that were ended by the same waker.
struct Wake {
  std::size_t blocked = 0;  // index into BlockedSites::sites
  Waker waker;
  std::uint64_t ns = 0, times = 0;
  bool operator==(const Wake&) const = default;
};

struct BlockedSites {
  std::uint64_t time_ns = 0;
  std::vector<BlockedSite> sites;
  std::vector<Wake> wakes;
  bool operator==(const BlockedSites&) const = default;
};

}  // namespace dwell
