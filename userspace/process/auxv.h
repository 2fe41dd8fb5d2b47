// SPDX-License-Identifier: Apache-2.0
// What the kernel handed to a program at its start: /proc/PID/auxv.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

namespace dwell {

// The value of one of its entries (AT_BASE, AT_ENTRY); none where it has none, or can't be read.
std::optional<std::uint64_t> auxiliary_value(pid_t pid, std::uint64_t type);

}  // namespace dwell
