// SPDX-License-Identifier: Apache-2.0
// What the windows of one process tell the recording: plain data.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "userspace/memory/windows/level_policy.h"
#include "userspace/memory/windows/part.h"
#include "userspace/recording/ids.h"

namespace dwell::memory::windows {

// A call site as the kernel's side names it; or, of blocks that an exact recording knew, a series of the recording.
struct SiteKey {
  std::uint64_t stack = 0;
  std::uint32_t probe = 0;
  static constexpr std::uint32_t kSeries = ~std::uint32_t{0};  // `stack` is the index of a series
  bool operator==(const SiteKey&) const = default;
  template <typename H>
  friend H AbslHashValue(H h, const SiteKey& key) {
    return H::combine(std::move(h), key.stack, key.probe);
  }
};

struct SiteCount {
  SiteKey site;
  std::uint64_t blocks = 0, bytes = 0;
};

struct WindowFacts {
  ProcessSlot process = 0;
  std::uint64_t start_ns = 0, length_ns = 0;
  std::uint64_t interval_ns = 0;  // the time that it is a sample of
  bool cut = false;               // by the limit of hits
  std::vector<SiteCount> sites;
};

struct LevelChange {
  ProcessSlot process = 0;
  Level level = Level::kExact;
  std::uint64_t time_ns = 0;  // up to here, from here on
};

struct KnownBlock {  // that an exact recording followed until now
  std::uint64_t address, size, birth_ns;
  std::uint32_t series;
  double weight;  // of how many of its series
};

struct LiveSample {  // that is not known to be dead
  SiteKey site;
  std::uint64_t address, size;
  double weight;  // of how many of its call site
};

struct RetainedSite {
  SiteKey site;
  double bytes = 0, low = 0, high = 0, blocks = 0;
  bool identity = false, anchored = false;
  double windows = 0;
  std::uint64_t oldest_ns = 0;
};

struct Retained {
  ProcessSlot process = 0;
  bool known = false;  // false: nothing tells whether a block lives, in this process
  std::uint64_t time_ns = 0;
  std::vector<RetainedSite> sites;
  bool walked = false;              // so that the next is known
  std::vector<UnnamedRow> unnamed;  // the largest first; the last may be the sum of all others
};

}  // namespace dwell::memory::windows
