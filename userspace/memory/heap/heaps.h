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
  // A library that allocates is mapped, but its heap was not found: where it was changing just then, or has grown over what the
  // mappings say, it will be with mappings that are read anew. The library's name; "" otherwise.
  std::string unread;
};
// How often that is worth a try.
constexpr int kTriesToFindHeaps = 4;

// The heaps refer to `target`.
FoundHeaps find_heaps(const Target& target);
// The same; reads the mappings, into `mappings`, to which `target` refers.
Result<FoundHeaps> find_heaps_of(pid_t pid, const Target& target, std::vector<Mapping>& mappings);

}  // namespace dwell::memory::heap
