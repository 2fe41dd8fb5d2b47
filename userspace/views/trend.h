// SPDX-License-Identifier: Apache-2.0
// Whether a value rises steadily, told robustly or not at all: what may be extrapolated. Pure.
//
// The points are gathered into intervals of equal length. A trend is told if it is significant by the Mann-Kendall test,
// corrected for autocorrelation (Hamed and Rao, 1998), if the value rises in every part of the time, and by
// more than a random walk of such steps would. Where growth
// began within the range, only what follows that change counts. The slope is Theil-Sen's, with Sen's confidence interval.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace dwell {

struct SteadyTrend {
  double per_second = 0;            // Theil-Sen
  double low = 0, high = 0;         // of it: 95 % confidence
  std::uint64_t since_ns = 0;       // when it began: the first point, or a change within the range
};

// None: too few points, too short a time, no growth, or growth that is not steady.
std::optional<SteadyTrend> steady_trend(std::span<const std::uint64_t> times_ns, std::span<const double> values);

// Pure parts of it, of values at equal distances.
double mann_kendall_z(std::span<const double> values);  // corrected for autocorrelation and ties; > 0: rises
// The index where a line breaks: 0 where one straight line fits about as well.
std::size_t change_point(std::span<const double> values);

}  // namespace dwell
