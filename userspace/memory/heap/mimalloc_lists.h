// SPDX-License-Identifier: Apache-2.0
// MimallocLists: which blocks of a mimalloc page are free. The lists are followed in a copy of the page; they count only if the
// page's record was the same before and after, and if they are as long as the record says.
#pragma once

#include <vector>

#include "userspace/memory/heap/mimalloc_segment.h"

namespace dwell::memory::heap {

class MimallocLists {
 public:
  MimallocLists(const ProcessMemory& memory, const MimallocLayout& layout) : memory_(memory), layout_(layout) {}

  struct State {
    MimallocPage page;        // as it was when it stood still
    std::vector<bool> free;   // by block
    bool settled = false;     // false: it kept changing, and none counts as free
    std::uint64_t retries = 0;
  };
  State read(std::uint64_t segment, const MimallocPage& page);

  // The first block; learned from the record where that does not say.
  std::uint64_t start_of(const MimallocPage& page) const;

 private:
  bool follow(const MimallocPage& page, std::uint64_t head, std::uint64_t start, State& state, std::uint32_t& count) const;
  std::uint64_t next_of(const MimallocPage& page, std::uint64_t link) const;

  const ProcessMemory& memory_;
  MimallocLayout layout_;
  std::vector<char> bytes_;
};

}  // namespace dwell::memory::heap
