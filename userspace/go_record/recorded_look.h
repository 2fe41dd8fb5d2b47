// SPDX-License-Identifier: Apache-2.0
// A look at a Go program, to and from what a recording holds of it.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "userspace/go/goroutine_report.h"
#include "userspace/go_record/go_stacks.h"
#include "userspace/recording/model.h"

namespace dwell {

GoLook recorded_look(const GoroutineReport& report, ProcessSlot process, GoFrames& frames, GoStacks& stacks);

// The counters of the runtime's profiles: each bucket is told once, and its counters when they have changed.
class RecordedProfiles {
 public:
  GoProfileLook heap(const HeapProfile& profile, std::uint64_t time_ns, ProcessSlot process, GoFrames& frames,
                     GoStacks& stacks);
  // The process has become another program: what stands where a bucket stood is another one.
  void forget(ProcessSlot process);

  const std::vector<GoBucket>& buckets() const { return buckets_; }

 private:
  struct Known {
    std::uint32_t index = 0;
    std::array<std::int64_t, 4> values{};
  };
  std::vector<GoBucket> buckets_;
  absl::flat_hash_map<std::pair<ProcessSlot, std::uint64_t>, Known> known_;  // by where the runtime has it
};

// As it was seen. The heap is that of the last profile up to the look; a recording has no goroutine's code
// addresses.
GoroutineReport report_of(const Recording& recording, const GoLook& look);

}  // namespace dwell
