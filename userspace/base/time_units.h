// SPDX-License-Identifier: Apache-2.0
// Spans of time, in nanoseconds.
#pragma once

#include <cstdint>

namespace dwell {

inline constexpr std::uint64_t kMillisecond = 1'000'000;
inline constexpr std::uint64_t kSecond = 1'000 * kMillisecond;

}  // namespace dwell
