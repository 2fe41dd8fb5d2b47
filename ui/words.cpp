// SPDX-License-Identifier: Apache-2.0
#include "ui/words.h"

#include <fmt/core.h>

#include <cmath>

#include "ui/escape.h"
#include "ui/values.h"
#include "userspace/base/text.h"

namespace dwell {

std::string bytes_text(double bytes, double standard_error) {
  std::string text = human_bytes(bytes);
  if (standard_error <= 0 || bytes == 0) return text;
  double percent = std::ceil(100 * standard_error / std::abs(bytes));
  return text + (percent > 100 ? " ±>100 %" : fmt::format(" ±{:.0f} %", percent));
}

std::string bytes_range(double from, double to) {
  return from == to ? bytes_text(to) : fmt::format("{} to {}", bytes_text(from), bytes_text(to));
}

std::string signed_bytes(double bytes) { return (bytes > 0 ? "+" : "") + human_bytes(bytes); }

std::string count_text(double count) { return grouped(std::llround(count)); }

std::string signed_count(double count) { return (count > 0 ? "+" : "") + count_text(count); }

std::string rate_text(const std::optional<double>& bytes_per_minute) {
  return bytes_per_minute ? signed_bytes(*bytes_per_minute) : "-";
}

std::string age_text(const std::optional<std::uint64_t>& age_ns) {
  return age_ns ? human_duration(*age_ns) : "-";
}

std::string counted(std::size_t count, const std::string& noun) {
  const char* ending = count == 1 ? "" : noun.ends_with('s') ? "es" : "s";
  return grouped(static_cast<std::int64_t>(count)) + " " + noun + ending;
}

std::string process_text(const ProcessInfo& process) {
  return fmt::format("{} ({})", process.name.empty() ? "process" : printable(process.name), process.pid);
}

}  // namespace dwell
