// SPDX-License-Identifier: Apache-2.0
// Which allocators a process uses, of those whose structures dwell can read.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "userspace/memory/heap/heap.h"

namespace dwell::memory::heap {

struct FoundHeaps {
  std::vector<std::unique_ptr<Heap>> heaps;
  std::string none;  // why there is none; "" if there is
};

// The heaps refer to `target`.
FoundHeaps find_heaps(const Target& target);

}  // namespace dwell::memory::heap
