// SPDX-License-Identifier: Apache-2.0
// Graph: which live blocks hold pointers to which, as they stood when the heap was read once from low to high addresses.
//
// Four bytes a pointer, and one bit a block: the last pointer of a block is marked as such, and where pointers begin is kept
// for one block in sixteen.
#pragma once

#include <bit>
#include <cstdint>
#include <functional>
#include <vector>

#include "userspace/memory/reach/block_index.h"
#include "userspace/memory/reach/late_words.h"
#include "userspace/memory/reach/word_scan.h"

namespace dwell::memory::reach {

class Graph {
 public:
  // The first two words of each block, 0 where they are not in memory.
  using FirstWords = std::function<void(std::uint32_t block, std::uint64_t first, std::uint64_t second)>;
  // Reads all live blocks. `late`: gets the words that lead into the heap and to none of them; null: nobody asks.
  Graph(const BlockIndex& index, WordScan& scan, FirstWords first_words = {}, LateWords* late = nullptr);

  std::uint32_t blocks() const { return blocks_; }
  std::size_t edges() const { return edges_.size(); }
  // More pointers than can be kept: what is not marked may be held all the same.
  bool cut() const { return cut_; }

  // An edge by its place: those of a block lie one behind the other.
  static constexpr std::uint32_t kNoEdge = ~0u;
  std::uint32_t first_edge(std::uint32_t block) const;  // kNoEdge: it points to no other block
  std::uint32_t target(std::uint32_t edge) const { return edges_[edge] & ~kLast; }
  std::uint32_t next_edge(std::uint32_t edge) const { return edges_[edge] & kLast ? kNoEdge : edge + 1; }
  template <typename Visit>
  void for_each_target(std::uint32_t block, Visit visit) const {
    for (std::uint32_t edge = first_edge(block); edge != kNoEdge; edge = next_edge(edge)) visit(target(edge));
  }

  // Blocks that point to others, by number among those.
  bool points(std::uint32_t block) const { return points_[block / 64] >> block % 64 & 1; }
  std::uint32_t pointing() const { return pointing_; }
  std::uint32_t rank(std::uint32_t block) const {
    std::uint64_t below = points_[block / 64] & ((std::uint64_t{1} << block % 64) - 1);
    return ranks_[block / 64] + static_cast<std::uint32_t>(std::popcount(below));
  }

  // Marks what can be reached from `root`, which may be marked already.
  void mark(std::uint32_t root, std::vector<bool>& marked) const;
  void mark(const std::vector<std::uint32_t>& roots, std::vector<bool>& marked) const {
    for (std::uint32_t root : roots) mark(root, marked);
  }

 private:
  static constexpr std::uint32_t kLast = 1u << 31;
  static constexpr std::uint32_t kGroup = 16;  // blocks
  class Reading;
  void begin_until(std::uint32_t block);

  std::uint32_t blocks_ = 0, pointing_ = 0;
  ChunkedVector<std::uint32_t> edges_;
  std::vector<std::uint32_t> groups_;  // where the edges of each group begin
  std::vector<std::uint64_t> points_;  // a bit a block: it has edges
  std::vector<std::uint32_t> ranks_;   // of each word of points_: how many bits before it
  mutable std::vector<std::uint32_t> open_;
  bool cut_ = false;
};

}  // namespace dwell::memory::reach
