// SPDX-License-Identifier: Apache-2.0
// What the memory of a Go program's heap is used for: spans with objects, stacks of goroutines, and what is idle.
#pragma once

#include "userspace/go/runtime/runtime.h"
#include "userspace/process/runtime_memory.h"

namespace dwell {

// Empty where the layout of this version's heap is not known.
RuntimeMemory go_memory_ranges(const GoRuntime& runtime);

// The same of a process; empty if it is no Go program.
RuntimeMemory go_memory_of(pid_t pid);

}  // namespace dwell
