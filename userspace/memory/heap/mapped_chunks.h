// SPDX-License-Identifier: Apache-2.0
// glibc's blocks that are mappings of their own: a header at the start of a page, size a multiple of pages (from 2.43 on: 16
// bytes less), with the flag IS_MMAPPED. The kernel merges adjacent mappings, so every page of anonymous memory may begin one.
#pragma once

#include <cstdint>
#include <vector>

#include "userspace/memory/heap/heap.h"

namespace dwell::memory::heap {

struct MappedChunk {
  std::uint64_t chunk = 0;  // where the header is
  std::uint64_t lead = 0;   // bytes of the mapping before it: blocks of memalign
  std::uint64_t size = 0;   // from the header to the end of the mapping
  std::uint64_t tail = 0;   // of those, what the header does not count: 16 from 2.43 on

  std::uint64_t start() const { return chunk - lead; }
  std::uint64_t end() const { return chunk + size; }
  std::uint64_t block() const { return chunk + 16; }
  std::uint64_t usable() const { return size - 16 - tail / 2; }
};

// In address order. `taken`, in address order, is left out.
std::vector<MappedChunk> find_mapped_chunks(const Target& target, const std::vector<Range>& taken);

}  // namespace dwell::memory::heap
