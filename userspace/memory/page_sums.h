// SPDX-License-Identifier: Apache-2.0
// What a page has to know to add up the processes of one program: which those are, and the growth of their sums, which is no sum.
#pragma once

#include "ui/json_parts.h"
#include "ui/number_columns.h"
#include "userspace/memory/report.h"
#include "userspace/memory/sites.h"

namespace dwell {

// `report` tells each process alone, `sites` are its call sites; `summed` is the same by program. Adds "leads": of each process the
// first of its program; and the columns sum_site: the first call site in the report of those that are added up, sum_growth_known
// and sum_growth_per_minute.
void write_sums(const Recording& recording, const SiteTable& sites, const MemoryReport& report,
                const MemoryReport& summed, Json& json, NumberColumns& columns);

}  // namespace dwell
