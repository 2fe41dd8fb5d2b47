// SPDX-License-Identifier: Apache-2.0
// What a recording holds of Go programs.
#pragma once

#include <optional>
#include <vector>

#include "userspace/go/contexts/made.h"
#include "userspace/go/heap/allocs.h"
#include "userspace/go/record/held.h"
#include "userspace/go/record/look.h"
#include "userspace/go/waits/parks.h"
#include "userspace/recording/model.h"

namespace dwell {

struct GoPart {
  std::vector<GoLook> looks;             // at goroutines, in the order of time
  std::vector<GoBucket> buckets;         // of the profiles that the programs keep themselves
  std::vector<GoProfileLook> profiles;   // in the order of time
  std::vector<GoHeld> held;              // with snapshots that asked for it, in the order of time
  // The last that were written:
  std::optional<GoParks> parks;
  std::optional<GoAllocs> allocs;
  std::optional<GoContexts> contexts;
};

inline GoPart& go_of(Recording& recording) { return recording.parts.get<GoPart>(); }
inline const GoPart& go_of(const Recording& recording) { return recording.parts.get<GoPart>(); }

}  // namespace dwell
