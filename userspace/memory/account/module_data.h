// SPDX-License-Identifier: Apache-2.0
// Where the zeroed data of modules lies (.bss): behind their written pages, in anonymous memory, with which the kernel may have
// merged a mapping of the program's own.
#pragma once

#include <vector>

#include "userspace/memory/heap/heap.h"

namespace dwell::memory {

// In address order, whole pages. By the program headers at the start of each module, as they are in memory: they are data of the
// target, and say no more than where pages count.
std::vector<heap::Range> find_zeroed_data(const heap::Target& target);

}  // namespace dwell::memory
