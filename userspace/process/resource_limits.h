// SPDX-License-Identifier: Apache-2.0
// Resource limits of a process, from the text of /proc/PID/limits. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace dwell {

// The soft limit behind a name ("Max address space"), in the unit of the file; none: unlimited, or no such line.
std::optional<std::uint64_t> soft_limit_in(std::string_view limits, std::string_view name);

}  // namespace dwell
