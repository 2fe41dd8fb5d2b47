// SPDX-License-Identifier: Apache-2.0
// The sizes of the blocks that were live when a recording ended, by call site, as columns.
#pragma once

#include "ui/number_columns.h"
#include "userspace/memory/report.h"
#include "userspace/memory/sites.h"

namespace dwell {

// size_count: of each call site of the report how many classes it has; then of each class size_class, n for sizes from 2^n to
// 2^(n+1) - 1 bytes, and size_blocks, in the units of the other columns. Nothing where blocks were not followed one by one.
void write_sizes(const Recording& recording, const SiteTable& sites, const MemoryReport& report, NumberColumns& columns);

}  // namespace dwell
