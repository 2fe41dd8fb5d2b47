// SPDX-License-Identifier: Apache-2.0
// A look at a Go program, as a recording holds it.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "userspace/go/goroutines/report.h"
#include "userspace/go/record/stacks.h"
#include "userspace/recording/model.h"

namespace dwell {

// All of a look that stands in chunks, in the order in which they belong.
class RecordedProfiles;
Result<void> write_go_report(const GoroutineReport& report, ProcessSlot process, GoFrames& frames,
                             GoStacks& stacks, RecordedProfiles& profiles, RecordingWriter& writer);

GoLook recorded_look(const GoroutineReport& report, ProcessSlot process, GoFrames& frames, GoStacks& stacks);

// The counters of the runtime's profiles: each bucket is told once, and its counters when they have changed.
class RecordedProfiles {
 public:
  GoProfileLook heap(const HeapProfile& profile, std::uint64_t time_ns, ProcessSlot process, GoFrames& frames,
                     GoStacks& stacks);
  GoProfileLook contention(const ContentionProfile& profile, std::uint64_t time_ns, ProcessSlot process,
                           GoFrames& frames, GoStacks& stacks);
  // The process has become another program: what stands where a bucket stood is another one.
  void forget(ProcessSlot process);

  const std::vector<GoBucket>& buckets() const { return buckets_; }

 private:
  struct Known {
    GoBucketRow row;  // as it was told last
  };
  GoProfileLook begin(GoProfileKind kind, std::uint64_t time_ns, ProcessSlot process);
  // A bucket that is met for the first time is described by `describe`.
  template <typename Describe>
  void tell(ProcessSlot process, std::uint64_t address, GoBucketRow row, GoProfileLook& look,
            Describe describe);

  std::vector<GoBucket> buckets_;
  absl::flat_hash_map<std::pair<ProcessSlot, std::uint64_t>, Known> known_;  // by where the runtime has it
  std::map<std::pair<ProcessSlot, GoProfileKind>, std::vector<std::uint32_t>>
      gone_;  // to be told of, as nothing
};

}  // namespace dwell
