// SPDX-License-Identifier: Apache-2.0
#include "userspace/clocks/quantities.h"

#include <fmt/core.h>

#include <cmath>

namespace dwell {

std::string short_ns(double ns) {
  if (std::abs(ns) < 1e3) return fmt::format("{:.0f} ns", ns);
  if (std::abs(ns) < 1e6) return fmt::format("{:.1f} µs", ns / 1e3);
  if (std::abs(ns) < 1e9) return fmt::format("{:.1f} ms", ns / 1e6);
  return fmt::format("{:.2f} s", ns / 1e9);
}

std::string histogram_text(const TimeHistogram& histogram) {
  std::uint64_t all = 0;
  for (std::uint64_t count : histogram) all += count;
  if (!all) return "";
  auto below = [&](double share) {
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < histogram.size(); ++i) {
      seen += histogram[i];
      if (static_cast<double>(seen) >= share * static_cast<double>(all))
        return std::ldexp(1.0, static_cast<int>(i) + 1);
    }
    return std::ldexp(1.0, static_cast<int>(histogram.size()));
  };
  return fmt::format("half below {}, 99 % below {}", short_ns(below(0.5)), short_ns(below(0.99)));
}

}  // namespace dwell
