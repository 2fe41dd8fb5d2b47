// SPDX-License-Identifier: Apache-2.0
// Figures as words: what the reports of all subjects have in common.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "userspace/recording/model.h"

namespace dwell {

std::string bytes_text(double bytes, double standard_error = 0);  // "12.3 MB", "12.3 MB ±2 %"
std::string bytes_range(double from, double to);                  // "12.3 MB to 14.0 MB"; of equal ones "12.3 MB"
std::string signed_bytes(double bytes);                           // "+12.3 MB"
std::string count_text(double count);                             // "1,234"
std::string signed_count(double count);
std::string rate_text(const std::optional<double>& bytes_per_minute);  // "+1.2 MB", "-" where there is none
std::string age_text(const std::optional<std::uint64_t>& age_ns);
std::string counted(std::size_t count, const std::string& noun);  // "1 call site", "3 call sites"

// "redis-server (1234)"
std::string process_text(const ProcessInfo& process);

}  // namespace dwell
