// SPDX-License-Identifier: Apache-2.0
// The memory that this process may take: what the user set, or a share of what the machine has left.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "userspace/base/result.h"

namespace dwell {

// Exit code of a command that needs more memory than it may take. docs/errors.md
inline constexpr Exit kExitNoMemory = static_cast<Exit>(9);

// What could be taken without anybody else losing theirs: MemAvailable, or what is left in our cgroup if that is less.
std::uint64_t free_memory();

// In bytes; what was set, or no limit.
std::uint64_t memory_limit();

// `asked`, or that share of what is free; at least what is needed to do anything.
void choose_memory_limit(std::optional<std::uint64_t> asked, double share);

// From now on an allocation beyond the limit fails (RLIMIT_DATA). Child processes inherit that. The first that fails
// is granted from a reserve, a part of the limit, so that work can be ended in order: see out_of_memory().
void keep_memory_limit();
bool out_of_memory();

// What this process has taken, in anonymous memory.
std::uint64_t memory_in_use();

// The error of a command whose allocation failed.
Error no_memory(const std::string& doing);

}  // namespace dwell
