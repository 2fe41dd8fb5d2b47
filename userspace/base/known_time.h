// SPDX-License-Identifier: Apache-2.0
// A span of time that may not be known, which is not the same as 0. In a recording it is a number all the same.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>

namespace dwell {

using KnownTime = std::optional<std::uint64_t>;  // nanoseconds

inline constexpr std::uint64_t kTimeNotKnown = std::numeric_limits<std::uint64_t>::max();

inline std::uint64_t stored_time(KnownTime time) { return time.value_or(kTimeNotKnown); }
inline KnownTime known_time(std::uint64_t stored) {
  return stored == kTimeNotKnown ? std::nullopt : KnownTime(stored);
}
// A sum is known if all of its parts are.
inline KnownTime sum_of(KnownTime a, KnownTime b) { return a && b ? KnownTime(*a + *b) : std::nullopt; }

}  // namespace dwell
