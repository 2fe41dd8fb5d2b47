// SPDX-License-Identifier: Apache-2.0
#include "ui/values.h"

#include <fmt/core.h>

#include <cmath>
#include <ctime>

#include "userspace/base/text.h"

namespace dwell {

std::string time_in_bpf(const KnownTime& time) {
  if (time) return human_duration(*time) + " in BPF";
  return "time in BPF not known (counted for CAP_SYS_ADMIN, or with sysctl kernel.bpf_stats_enabled=1)";
}

std::string grouped(std::int64_t number) {
  std::string digits = fmt::format("{}", number);
  std::size_t first = number < 0 ? 1 : 0;
  for (std::size_t at = digits.size(); at > first + 3;) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

std::string format_value(std::int64_t value, std::string_view unit) {
  if (unit == "bytes") return human_bytes(static_cast<double>(value));
  if (unit == "nanoseconds") {
    // Unsigned negation is defined for the smallest value too.
    std::uint64_t size = value < 0 ? -static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
    return (value < 0 ? "-" : "") + human_duration(size);
  }
  if (unit.empty() || unit == "count") return grouped(value);
  return fmt::format("{} {}", grouped(value), unit);
}

std::string format_signed(std::int64_t value, std::string_view unit) {
  return (value > 0 ? "+" : "") + format_value(value, unit);
}

std::string percent(double part, double whole) {
  if (whole == 0) return "-";
  return fmt::format("{:.1f} %", 100 * part / whole);
}

std::string utc_time(std::int64_t unix_ns) {
  std::time_t seconds = unix_ns / 1'000'000'000;
  std::tm fields{};
  if (!gmtime_r(&seconds, &fields)) return "-";
  char text[32];
  std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &fields);
  return {text, size};
}

}  // namespace dwell
