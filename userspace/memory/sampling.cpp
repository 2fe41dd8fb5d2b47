// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/sampling.h"

#include <algorithm>
#include <cmath>

namespace dwell {

namespace {
constexpr double kVarianceUnits = 65536;
// Past this many periods, 1 - exp(-s / period) is 1 in a double, and s may be too large for one.
constexpr double kCertain = 40;
}  // namespace

Scaled scaled_block(std::uint64_t size, std::uint64_t period) {
  double periods = static_cast<double>(std::max<std::uint64_t>(size, 1)) / static_cast<double>(period);
  if (period == 0 || periods > kCertain) return {kScaledBlock, size, 0};
  double seen = -std::expm1(-periods);  // the probability P
  return {static_cast<std::uint64_t>(std::llround(kScaledBlock / seen)),
          static_cast<std::uint64_t>(std::llround(static_cast<double>(size) / seen)),
          static_cast<std::uint64_t>(std::llround(kVarianceUnits * periods * periods * (1 - seen) / (seen * seen)))};
}

double standard_error(std::uint64_t variance, std::uint64_t period) {
  return std::sqrt(static_cast<double>(variance) / kVarianceUnits) * static_cast<double>(period);
}

}  // namespace dwell
