// SPDX-License-Identifier: Apache-2.0
// Where chunks lie: stretches of memory in which chunk follows chunk, each belonging to one arena.
//
//   main arena    brk from sbrk_base on (several adjacent mappings after a fork); and, where brk could not grow,
//                 mappings of its own
//   other arenas  heaps at multiples of their largest size, each beginning with a heap_info; the first one also holds
//                 the malloc_state
#pragma once

#include <cstdint>
#include <vector>

#include "userspace/memory/heap/glibc_arena.h"
#include "userspace/memory/heap/glibc_parameters.h"

namespace dwell::memory::heap {

struct Segment {
  Range range;
  std::uint64_t first = 0;  // the first chunk; what is before it is the allocator's
  std::uint32_t arena = 0;  // index
  bool main = false;
  std::uint64_t heap_info = 0;  // 0: a stretch of the main arena
  bool grows = false;           // at its end: brk
};

struct Segments {
  std::vector<Segment> all;      // in address order
  std::uint64_t missing_bytes = 0;  // of what the arenas say to have, found nowhere
};

Range brk_range(const std::vector<Mapping>& mappings);
Segments find_glibc_segments(const Target& target, const GlibcArenas& arenas,
                             const std::optional<GlibcParameters>& parameters);

}  // namespace dwell::memory::heap
