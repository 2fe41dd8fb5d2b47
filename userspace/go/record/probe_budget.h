// SPDX-License-Identifier: Apache-2.0
// What tracers that probe Go functions in windows have in common: their share of the target's time.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string_view>

#include "userspace/base/time_units.h"

namespace dwell {

inline constexpr double kGoProbeShare = 0.02;  // of the target's time, where there is no budget for all
inline constexpr double kGoIdleShare = 0.2;    // a program that is idle may pay a little too
inline constexpr std::uint64_t kGoWindowNs = 20 * kMillisecond;

// An estimate as a count: rounded, never negative.
inline std::uint64_t to_count(double value) {
  return static_cast<std::uint64_t>(std::llround(std::max(value, 0.0)));
}

}  // namespace dwell
