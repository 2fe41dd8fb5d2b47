// SPDX-License-Identifier: Apache-2.0
// How fast something grows, told robustly or not at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

namespace dwell {

inline constexpr std::size_t kMinGrowthPoints = 6;
inline constexpr std::uint64_t kMinGrowthSpanNs = 5'000'000'000;

// Whether points at these times are enough to tell how something grows between them.
bool can_tell_growth(std::span<const std::uint64_t> times_ns);

// Theil-Sen: the median of the slopes between all pairs of points, in units of value a minute. A burst, a drop
// or a step in a few points does not move it. None with fewer than kMinGrowthPoints, or over less time than
// kMinGrowthSpanNs: a start-up would pass for a trend.
std::optional<double> slope_per_minute(std::span<const std::uint64_t> times_ns, std::span<const double> values);

// The same of a sum, by its changes in the order of time: (when, by how much).
std::optional<double> slope_per_minute(std::span<const std::uint64_t> times_ns, std::span<const std::pair<std::uint64_t, std::int64_t>> changes);

// How a value came from the first point to the last.
enum class GrowthShape {
  kUnknown,   // too few points, or too short a time
  kLevel,     // it ends where it began
  kSteady,    // it grew in every fifth of the time, by about the same
  kLevelled,  // it grew, and has been level since
  kBursts,    // nearly all of it came in a small part of the time
  kUneven,    // it grew, in some fifths of the time more than in others
  kFell,      // it ends below where it began
};

struct GrowthPattern {
  GrowthShape shape = GrowthShape::kUnknown;
  std::uint64_t level_ns = 0;  // kLevelled: for how long it has been level
  bool operator==(const GrowthPattern&) const = default;
};

// Judges the curve in fifths of its time. The first point is where the range begins.
GrowthPattern growth_pattern(std::span<const std::uint64_t> times_ns, std::span<const double> values);

std::string_view name_of(GrowthShape shape);  // "unknown", "level", "steady", "levelled", "bursts", "uneven", "fell"

}  // namespace dwell
