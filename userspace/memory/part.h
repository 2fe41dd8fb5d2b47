// SPDX-License-Identifier: Apache-2.0
// What a recording holds of memory.
#pragma once

#include <cstdint>
#include <vector>

#include "userspace/memory/holding.h"
#include "userspace/memory/memory_usage.h"
#include "userspace/memory/tick.h"
#include "userspace/memory/touched/sites.h"
#include "userspace/memory/windows/part.h"
#include "userspace/recording/model.h"

namespace dwell {

struct LiveSet {
  std::uint64_t time_ns = 0;
  std::vector<LiveBlock> blocks;
  bool operator==(const LiveSet&) const = default;
};

struct MemoryPart {
  std::vector<Series> series;
  std::vector<MemoryTick> ticks;
  LiveSet live;        // the last one that was written: the end, or a checkpoint
  std::vector<MemoryUsage> processes;  // by slot; shorter where nothing is known of the others
  std::vector<memory::TouchedMemory> touched;  // the same
  memory::windows::WindowPart windows;  // of a recording within a budget
  std::vector<Holding> holding;         // by slot; shorter where nothing is known of the others
  LiveSet unfinished;  // while it is read: one whose last chunk has not come yet
};

inline MemoryPart& memory_of(Recording& recording) { return recording.parts.get<MemoryPart>(); }
inline const MemoryPart& memory_of(const Recording& recording) { return recording.parts.get<MemoryPart>(); }

}  // namespace dwell
