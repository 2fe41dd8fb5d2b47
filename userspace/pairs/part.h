// SPDX-License-Identifier: Apache-2.0
// What a recording holds of pairs.
#pragma once

#include <vector>

#include "userspace/pairs/tick.h"
#include "userspace/recording/model.h"

namespace dwell::pairs {

struct PairsPart {
  std::vector<PairInfo> pairs;  // none: no --pair was given
  std::vector<HoldTick> ticks;  // in the order of time
  Held held;                    // the last that was written
};

inline PairsPart& pairs_of(Recording& recording) { return recording.parts.get<PairsPart>(); }
inline const PairsPart& pairs_of(const Recording& recording) { return recording.parts.get<PairsPart>(); }

}  // namespace dwell::pairs
