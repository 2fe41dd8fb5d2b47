// SPDX-License-Identifier: Apache-2.0
// How fast something grows, told robustly or not at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace dwell {

inline constexpr std::size_t kMinGrowthPoints = 6;
inline constexpr std::uint64_t kMinGrowthSpanNs = 5'000'000'000;

// Theil-Sen: the median of the slopes between all pairs of points, in units of value a minute. A burst, a drop
// or a step in a few points does not move it. None with fewer than kMinGrowthPoints, or over less time than
// kMinGrowthSpanNs: a start-up would pass for a trend.
std::optional<double> slope_per_minute(std::span<const std::uint64_t> times_ns, std::span<const double> values);

}  // namespace dwell
