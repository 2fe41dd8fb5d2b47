// SPDX-License-Identifier: Apache-2.0
// How the values of a Profile read: by their unit, and grouped where every digit counts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "userspace/base/known_time.h"

namespace dwell {

std::string grouped(std::int64_t number);                              // -1234567 -> "-1,234,567"
std::string format_value(std::int64_t value, std::string_view unit);   // 1536, "bytes" -> "1.5 KB"
std::string format_signed(std::int64_t value, std::string_view unit);  // the same, "+" before growth
std::string percent(double part, double whole);                        // "12.3 %"; "-" of nothing
// "1.2 ms in BPF", or that the kernel did not count it, and what would make it
std::string time_in_bpf(const KnownTime& time);
std::string utc_time(std::int64_t unix_ns);                            // "2026-11-21 23:40:00 UTC"

}  // namespace dwell
