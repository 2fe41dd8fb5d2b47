// SPDX-License-Identifier: Apache-2.0
// The runtime's processors (runtime.allp), which hold its timers.
#pragma once

#include <cstdint>
#include <vector>

#include "userspace/go/runtime/runtime.h"

namespace dwell {

// Addresses of all runtime.p; empty if they were not found.
std::vector<std::uint64_t> find_processors(const GoRuntime& runtime);

// Where a processor keeps them.
GoSlice timer_list_of(const GoRuntime& runtime, std::uint64_t processor);

// Addresses of the timers that a processor keeps, pending or not yet cleared away.
std::vector<std::uint64_t> timers_of(const GoRuntime& runtime, std::uint64_t processor);

}  // namespace dwell
