// SPDX-License-Identifier: Apache-2.0
// What a recording holds of clocks.
#pragma once

#include <optional>

#include "userspace/clocks/look.h"
#include "userspace/recording/model.h"

namespace dwell {

struct ClocksPart {
  std::optional<ClockLook> look;  // the last one that was written
};

inline ClocksPart& clocks_of(Recording& recording) { return recording.parts.get<ClocksPart>(); }
inline const ClocksPart& clocks_of(const Recording& recording) { return recording.parts.get<ClocksPart>(); }

}  // namespace dwell
