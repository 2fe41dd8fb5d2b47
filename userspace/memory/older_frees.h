// SPDX-License-Identifier: Apache-2.0
// What the heap grew by in all: a count of its blocks at both ends knows. And whether blocks from before the recording were freed in such
// numbers that what was allocated and stays is not the heap's growth.
#pragma once

#include <optional>
#include <span>

#include "userspace/memory/report.h"

namespace dwell {

// Pure. `report`: with its processes, balances and surprises. `members`: whose heaps this adds up. Of a process that was forked
// while it was followed, all blocks are known.
std::optional<OlderFrees> older_frees(const KindReport& heap, const MemoryReport& report, std::span<const ProcessSlot> members);

// None: not all of these heaps were counted at both ends.
std::optional<CountedChange> counted_change(const MemoryReport& report, std::span<const ProcessSlot> members);

}  // namespace dwell
