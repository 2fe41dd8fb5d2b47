// SPDX-License-Identifier: Apache-2.0
// glibc's arenas, found without symbols.
//
// main_arena lies in the writable data of libc, or of a static program. Its bins are what is recognized: an empty bin
// points to itself. Offsets are counted from `bins`, as those behind it are the same in 2.17 to 2.43 but for one field;
// where the structure begins is learned from the ring of arenas.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "userspace/memory/heap/heap.h"

namespace dwell::memory::heap {

struct GlibcLayout {
  std::uint64_t bins = 0;              // offset of bins in malloc_state: 104, 112 or 24
  std::uint64_t system_mem = 0;        // from bins: 2072, or 2064 before attached_threads was added
  std::uint64_t heap_info = 0;         // size of heap_info; 0: there is only the main arena
  std::uint64_t arena_size() const { return bins + system_mem + 16; }
};

struct GlibcArena {
  std::uint64_t address = 0;  // of the malloc_state
  std::uint64_t top = 0;
  std::uint64_t system_mem = 0;
  bool main = false;
};

struct GlibcArenas {
  GlibcLayout layout;
  Range data;  // the mapping in which main_arena lies
  std::vector<GlibcArena> arenas;  // the main arena first
};

// None: no main_arena that is in use.
std::optional<GlibcArenas> find_glibc_arenas(const Target& target);

// The first word of the unused end of an arena.
std::uint64_t read_top(const ProcessMemory& memory, const GlibcLayout& layout, std::uint64_t arena);

}  // namespace dwell::memory::heap
