// SPDX-License-Identifier: Apache-2.0
// What is wrong with the memory of a process, as findings: a limit that is nearly reached, leaked blocks, and memory
// that the allocator keeps.
#pragma once

#include <optional>
#include <vector>

#include "userspace/process/memory_group.h"
#include "userspace/memory/account/look.h"
#include "userspace/memory/reach/leaks.h"
#include "userspace/record/look_command.h"

namespace dwell {

std::optional<Findings> memory_findings(const LookRequest& request);
// What runtimes in the process manage by themselves, by the subjects that know them.
std::vector<RuntimeMemory> runtimes_of(const LookRequest& request);
// Pure. `leaks`: null where they were not searched for.
Findings findings_of(const memory::MemoryLook& look, const std::vector<MemoryLimit>& limits, const memory::reach::LeakReport* leaks = nullptr);

}  // namespace dwell
