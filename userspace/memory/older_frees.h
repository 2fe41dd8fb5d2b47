// SPDX-License-Identifier: Apache-2.0
// Whether blocks from before the recording were freed in such numbers that what was allocated and stays is not the heap's growth.
#pragma once

#include <optional>

#include "userspace/memory/report.h"

namespace dwell {

// Pure. `report`: with its balances and surprises. Only of the first process: of that one the blocks from before were counted.
std::optional<OlderFrees> older_frees(const KindReport& heap, const MemoryReport& report);

}  // namespace dwell
