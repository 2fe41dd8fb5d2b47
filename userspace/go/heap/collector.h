// SPDX-License-Identifier: Apache-2.0
// What the garbage collector costs, from the runtime's own statistics, without a probe.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "userspace/go/runtime/runtime.h"
#include "userspace/go/record/look.h"

namespace dwell {

// None if there was no collection yet, or its figures are not where dwell looks for them.
std::optional<Collector> read_collector(const GoRuntime& runtime);

}  // namespace dwell
