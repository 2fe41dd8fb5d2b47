// SPDX-License-Identifier: Apache-2.0
// musl's allocator before 1.2.1, found without symbols: where its chunks lie.
//
//   bins    64 lists of free chunks in the C library's data, behind a word with a bit for each that is not
//   empty; an empty one
//           leads to itself
//   area    brk; mappings where that could not grow; what is left of the pages around the data of modules.
//   Chunk follows chunk;
//           before the first one stands a size of 0 "in use", and so it does at the end
//   chunk   the size of the chunk before, its own size, each with a bit for "in use"; both say the same of
//   one chunk, which makes
//           torn reads known
//   mapped  a chunk of its own mapping, not "in use"; before it, bytes of the mapping instead of a size
//
// Source: src/malloc/malloc.c, expand_heap.c, memalign.c and ldso/dynlink.c (reclaim_gaps) of 1.1.24; the
// same since 0.9.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "userspace/memory/heap/heap.h"
#include "userspace/memory/heap/mapped_chunks.h"

namespace dwell::memory::heap {

constexpr std::uint64_t kOldMuslUnit = 32, kOldMuslHeader = 16;

struct OldMuslChunk {
  std::uint64_t before, self;  // sizes with a bit for "in use"

  std::uint64_t size() const { return self & ~std::uint64_t{1}; }
  bool in_use() const { return self & 1; }
  bool is_end() const { return self == 1; }
  bool is_first() const { return before == 1; }
};

struct OldMuslAreas {
  Range bins;                       // the allocator's own
  std::vector<Range> areas;         // from the first chunk to the one that ends it, in address order
  std::vector<MappedChunk> mapped;  // in address order
};

// Whether chunks follow one another here: eight, or fewer up to the end of the area.
bool is_old_musl_chain(const ProcessMemory& memory, std::uint64_t chunk, std::uint64_t end);

// None: there is no such allocator, or it was never used.
std::optional<OldMuslAreas> find_old_musl_areas(const Target& target);

}  // namespace dwell::memory::heap
