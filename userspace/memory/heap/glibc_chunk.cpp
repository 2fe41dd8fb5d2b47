// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/heap/glibc_chunk.h"

namespace dwell::memory::heap {
namespace {

constexpr int kLongEnough = 8;

}  // namespace

bool is_chain(const ProcessMemory& memory, std::uint64_t address, const Range& range, bool main) {
  std::uint64_t freed = 0;  // size of the chunk before, if it is free
  for (int links = 0; links < kLongEnough; ++links) {
    std::optional<Chunk> chunk = memory.load<Chunk>(address);
    if (!chunk) return false;
    if (links && is_fencepost(*chunk, address, range.end, main)) return links > 1;
    if (!is_plausible(*chunk, address, range.end, main)) return false;
    if (links && !chunk->previous_in_use() && chunk->prev_size != freed) return false;
    freed = chunk->size();
    address += freed;
    if (range.end - address < sizeof(Chunk)) return links > 0;
  }
  return true;
}

}  // namespace dwell::memory::heap
