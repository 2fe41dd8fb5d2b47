// SPDX-License-Identifier: Apache-2.0
// The memory that locks lie in: a lock without a name is known by the call site that allocated it.
#pragma once

#include "userspace/base/result.h"
#include "userspace/recording/model.h"
#include "userspace/views/block_sites.h"

namespace dwell {

struct ThreadReport;

// Fills in ThreadReport::lock_blocks from what `memory` holds of the same process. A block that was there at
// the end of it, and was allocated before the look.
void find_lock_blocks(const Recording& memory, const BlockSites& sites, ThreadReport& report);

// Whether `memory` is of the same process at all, and has blocks.
Result<void> can_tell_lock_blocks(const Recording& memory, const BlockSites& sites, const ThreadReport& report);

}  // namespace dwell
