// SPDX-License-Identifier: Apache-2.0
// A curve in one line of text: "▁▂▄▆█".
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace dwell {

// `columns` characters for equal parts of [from_ns, to_ns]; each shows the last value known by its end, between `low` and `high`
// ("·" before the first). Equal bounds: all are low. Times ascend.
std::string sparkline(std::span<const std::uint64_t> times_ns, std::span<const double> values, std::uint64_t from_ns, std::uint64_t to_ns,
                      double low, double high, std::size_t columns);

}  // namespace dwell
