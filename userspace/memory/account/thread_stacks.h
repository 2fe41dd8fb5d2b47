// SPDX-License-Identifier: Apache-2.0
// Where the stacks of threads lie, told by the C library's thread descriptor at the end of each: it points to itself.
#pragma once

#include <sys/types.h>

#include <vector>

#include "userspace/memory/heap/heap.h"

namespace dwell::memory {

struct ThreadStack {
  heap::Range range;
  pid_t tid = 0;                    // 0: of no thread that runs: kept by the C library for the next one
  std::uint64_t stack_pointer = 0;  // 0: not known, as the thread runs
};

// In address order; the main thread's is the kernel's, "[stack]".
std::vector<ThreadStack> find_thread_stacks(const heap::Target& target);

// The stack pointer of a thread that waits in the kernel, from the text of /proc/PID/task/TID/syscall; 0: it runs.
std::uint64_t stack_pointer_in(std::string_view syscall);

}  // namespace dwell::memory
