// SPDX-License-Identifier: Apache-2.0
#include "userspace/views/growth.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace dwell {

namespace {

double median(std::vector<double>& values) {
  auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

constexpr std::size_t kParts = 5;
// A fifth that adds less than this part of the average fifth, or more than its inverse, is not steady growth.
constexpr double kSteadyPart = 1.0 / 3;
// A value within this part of the whole growth around its last point is level.
constexpr double kLevelPart = 0.05;
// Bursts: so much of the growth comes in so small a part of the time.
constexpr double kBurstGrowth = 0.8, kBurstTime = 1.0 / 3;

// The value at a time between two points, on the line between them.
double value_at(std::span<const std::uint64_t> times_ns, std::span<const double> values, double time_ns) {
  std::size_t after = 1;
  while (after + 1 < times_ns.size() && static_cast<double>(times_ns[after]) < time_ns) ++after;
  double from = static_cast<double>(times_ns[after - 1]), to = static_cast<double>(times_ns[after]);
  if (to <= from) return values[after];
  return values[after - 1] + (values[after] - values[after - 1]) * (time_ns - from) / (to - from);
}

bool is_steady(std::span<const std::uint64_t> times_ns, std::span<const double> values) {
  double start = static_cast<double>(times_ns.front());
  double part_ns = static_cast<double>(times_ns.back() - times_ns.front()) / kParts;
  double average = (values.back() - values.front()) / kParts;
  double before = values.front();
  for (std::size_t part = 1; part <= kParts; ++part) {
    double now = part == kParts ? values.back() : value_at(times_ns, values, start + part_ns * static_cast<double>(part));
    double grew = now - before;
    if (grew < average * kSteadyPart || grew > average / kSteadyPart) return false;
    before = now;
  }
  return true;
}

bool is_bursts(std::span<const std::uint64_t> times_ns, std::span<const double> values) {
  std::vector<std::pair<double, double>> steps;  // growth, time
  for (std::size_t i = 1; i < values.size(); ++i)
    steps.emplace_back(values[i] - values[i - 1], static_cast<double>(times_ns[i] - times_ns[i - 1]));
  std::sort(steps.begin(), steps.end(), [](const auto& a, const auto& b) { return a.first * b.second > b.first * a.second; });
  double grew = 0, time = 0, all = values.back() - values.front();
  for (std::size_t i = 0; i < steps.size() && grew < kBurstGrowth * all; ++i) grew += steps[i].first, time += steps[i].second;
  return time <= kBurstTime * static_cast<double>(times_ns.back() - times_ns.front());
}

// For how long, up to its end, the value has stayed where it ends.
std::uint64_t level_time(std::span<const std::uint64_t> times_ns, std::span<const double> values) {
  double tolerance = kLevelPart * (values.back() - values.front());
  std::size_t first = values.size() - 1;
  while (first > 0 && std::abs(values[first - 1] - values.back()) <= tolerance) --first;
  return times_ns.back() - times_ns[first];
}

}  // namespace

bool can_tell_growth(std::span<const std::uint64_t> times_ns) {
  return times_ns.size() >= kMinGrowthPoints && times_ns.back() - times_ns.front() >= kMinGrowthSpanNs;
}

std::optional<double> slope_per_minute(std::span<const std::uint64_t> times_ns, std::span<const double> values) {
  if (!can_tell_growth(times_ns)) return std::nullopt;
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

std::optional<double> slope_per_minute(std::span<const std::uint64_t> times_ns, std::span<const std::pair<std::uint64_t, std::int64_t>> changes) {
  std::vector<double> sums;
  std::int64_t sum = 0;
  std::size_t next = 0;
  for (std::uint64_t time_ns : times_ns) {
    for (; next < changes.size() && changes[next].first <= time_ns; ++next) sum += changes[next].second;
    sums.push_back(static_cast<double>(sum));
  }
  return slope_per_minute(times_ns, sums);
}

GrowthPattern growth_pattern(std::span<const std::uint64_t> times_ns, std::span<const double> values) {
  if (!can_tell_growth(times_ns)) return {};
  if (values.back() < values.front()) return {GrowthShape::kFell};
  if (values.back() == values.front()) return {GrowthShape::kLevel};
  std::uint64_t level_ns = level_time(times_ns, values);
  if (level_ns >= (times_ns.back() - times_ns.front()) / kParts) return {GrowthShape::kLevelled, level_ns};
  if (is_steady(times_ns, values)) return {GrowthShape::kSteady};
  return {is_bursts(times_ns, values) ? GrowthShape::kBursts : GrowthShape::kUneven};
}

std::string_view name_of(GrowthShape shape) {
  switch (shape) {
    case GrowthShape::kUnknown: return "unknown";
    case GrowthShape::kLevel: return "level";
    case GrowthShape::kSteady: return "steady";
    case GrowthShape::kLevelled: return "levelled";
    case GrowthShape::kBursts: return "bursts";
    case GrowthShape::kUneven: return "uneven";
    case GrowthShape::kFell: return "fell";
  }
  return "unknown";
}

}  // namespace dwell
