// SPDX-License-Identifier: Apache-2.0
// Memory, as the table of subjects has it.
#pragma once

#include "userspace/memory/view.h"
#include "userspace/record/subject.h"

namespace dwell {

Subject memory_subject();

bool follows_memory(const Recording& recording);

// Exit::kUsage for a kind of memory that is none.
// A process is looked for in `recording`; one that is not there is Exit::kUsage.
Result<MemoryFilter> memory_filter(const ViewFilter& filter, const Recording& recording);

}  // namespace dwell
