// SPDX-License-Identifier: Apache-2.0
#include "ui/sparkline.h"

#include <algorithm>
#include <cmath>

namespace dwell {

std::string sparkline(std::span<const std::uint64_t> times_ns, std::span<const double> values, std::uint64_t from_ns, std::uint64_t to_ns,
                      double low, double high, std::size_t columns) {
  constexpr const char* kLevels[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  constexpr double kHighest = 7;
  std::string line;
  double part_ns = static_cast<double>(to_ns - std::min(from_ns, to_ns)) / static_cast<double>(std::max<std::size_t>(columns, 1));
  std::size_t known = 0;
  for (std::size_t column = 1; column <= columns; ++column) {
    double until_ns = static_cast<double>(from_ns) + part_ns * static_cast<double>(column);
    bool last = column == columns;
    while (known < times_ns.size() && (last || static_cast<double>(times_ns[known]) <= until_ns)) ++known;
    if (known == 0) {
      line += "·";
      continue;
    }
    double share = high > low ? (values[known - 1] - low) / (high - low) : 0;
    line += kLevels[static_cast<std::size_t>(std::clamp(std::round(share * kHighest), 0.0, kHighest))];
  }
  return line;
}

}  // namespace dwell
