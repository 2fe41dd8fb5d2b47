// SPDX-License-Identifier: Apache-2.0
// Graph: which live blocks hold pointers to which, as they stood when the heap was read once from low to high addresses.
#pragma once

#include <cstdint>
#include <vector>

#include "userspace/memory/reach/block_index.h"
#include "userspace/memory/reach/word_scan.h"

namespace dwell::memory::reach {

class Graph {
 public:
  // Reads all live blocks.
  Graph(const BlockIndex& index, WordScan& scan);

  std::size_t edges() const { return edges_.size(); }
  std::span<const std::uint32_t> from(std::uint32_t block) const {
    return std::span(edges_).subspan(begin_[block], begin_[block + 1] - begin_[block]);
  }
  // Marks what can be reached from `roots`, which may be marked already. Returns how many blocks were marked anew.
  std::size_t mark(std::vector<std::uint32_t> roots, std::vector<bool>& marked) const;
  // More pointers than can be kept: what is not marked may be held all the same.
  bool cut() const { return cut_; }

 private:
  void scan_piece(const BlockIndex& index, const heap::Range& region, std::uint32_t last,
                  std::span<const std::uint64_t> words, std::uint64_t address);
  void begin_until(std::uint32_t block);

  std::vector<std::uint32_t> begin_, edges_;
  std::uint32_t next_ = 0;  // block, while reading
  bool cut_ = false;
};

}  // namespace dwell::memory::reach
