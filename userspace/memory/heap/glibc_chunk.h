// SPDX-License-Identifier: Apache-2.0
// A glibc chunk's header, and what makes it plausible.
//
//   address ─▶ prev_size   of the chunk before, if that is free (else that one's last word)
//              size        and three flags; a multiple of 16
//              word0       what malloc returned points here; of a free chunk: links
//              word1       of a block in a thread cache: the key
#pragma once

#include <cstdint>

#include "userspace/memory/heap/heap.h"

namespace dwell::memory::heap {

struct Chunk {
  std::uint64_t prev_size, size_and_flags, word0, word1;

  std::uint64_t size() const { return size_and_flags & ~std::uint64_t{7}; }
  bool previous_in_use() const { return size_and_flags & 1; }
  bool mapped() const { return size_and_flags & 2; }
  bool in_other_arena() const { return size_and_flags & 4; }
};
constexpr std::uint64_t kChunkHeader = 16, kSmallestChunk = 32, kChunkAlignment = 16;

// Whether a chunk at `address` can be, in a stretch that ends at `end`. Chunks of other arenas have a flag only while they
// are in use.
inline bool is_plausible(const Chunk& chunk, std::uint64_t address, std::uint64_t end, bool main) {
  std::uint64_t size = chunk.size();
  return size >= kSmallestChunk && size % kChunkAlignment == 0 && size <= end - address && !chunk.mapped() &&
         !(main && chunk.in_other_arena());
}

// Ends a stretch behind which the arena has no memory. In the main arena two headers of 16 bytes; else one, or one of 32
// where that leaves no room for another chunk.
inline bool is_fencepost(const Chunk& chunk, std::uint64_t address, std::uint64_t end, bool main) {
  if (chunk.in_other_arena() || !chunk.previous_in_use()) return false;
  if (chunk.size() == kChunkHeader) return !main || chunk.word1 == (kChunkHeader | 1);
  return !main && chunk.size() == kSmallestChunk && end - address <= kSmallestChunk + kChunkHeader;
}

// Whether a chain of plausible chunks begins here: eight of them, or fewer that end with the range.
bool is_chain(const ProcessMemory& memory, std::uint64_t address, const Range& range, bool main);

}  // namespace dwell::memory::heap
