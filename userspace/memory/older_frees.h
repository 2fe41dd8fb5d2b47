// SPDX-License-Identifier: Apache-2.0
// Whether blocks from before the recording were freed in such numbers that what was allocated and stays is not the heap's growth.
#pragma once

#include <optional>
#include <span>

#include "userspace/memory/report.h"

namespace dwell {

// Pure. `report`: with its processes, balances and surprises. `members`: whose heaps this adds up. Of a process that was forked
// while it was followed, all blocks are known.
std::optional<OlderFrees> older_frees(const KindReport& heap, const MemoryReport& report, std::span<const ProcessSlot> members);

}  // namespace dwell
