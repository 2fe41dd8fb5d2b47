// SPDX-License-Identifier: Apache-2.0
#include "userspace/views/growth.h"

#include <algorithm>
#include <vector>

namespace dwell {

namespace {

double median(std::vector<double>& values) {
  auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

}  // namespace

std::optional<double> slope_per_minute(std::span<const std::uint64_t> times_ns, std::span<const double> values) {
  if (times_ns.size() < kMinGrowthPoints || times_ns.back() - times_ns.front() < kMinGrowthSpanNs) return std::nullopt;
  constexpr double kMinute = 60e9;
  std::vector<double> slopes;
  slopes.reserve(values.size() * (values.size() - 1) / 2);
  for (std::size_t i = 0; i < values.size(); ++i)
    for (std::size_t j = i + 1; j < values.size(); ++j)
      if (times_ns[j] > times_ns[i])
        slopes.push_back((values[j] - values[i]) * kMinute / static_cast<double>(times_ns[j] - times_ns[i]));
  if (slopes.empty()) return std::nullopt;
  return median(slopes);
}

}  // namespace dwell
