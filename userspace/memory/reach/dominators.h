// SPDX-License-Identifier: Apache-2.0
// DominatorTree: what each root and each block holds alone. A block is dominated by what all ways from the roots to it lead
// through: were that gone, the block would be unreachable. Semi-NCA over the graph of blocks.
//
// Vertices are numbered as a depth-first search meets them; 0 stands before all roots. Blocks that point to nothing and are
// pointed to once are no vertices: what points to them dominates them.
#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "userspace/memory/reach/graph.h"

namespace dwell::memory::reach {

// A root that points to a block. In order of roots.
struct RootEdge {
  std::uint32_t root, block;
};

class DominatorTree {
 public:
  DominatorTree(const Graph& graph, std::span<const RootEdge> edges, std::uint32_t roots);
  // It would have taken too long, or there are too many pointers.
  bool gave_up() const { return gave_up_; }

  std::uint32_t vertices() const { return static_cast<std::uint32_t>(idom_.size()); }
  bool is_vertex(std::uint32_t block) const { return bits_[block / 64] >> block % 64 & 1; }
  // 0: nothing leads there.
  std::uint32_t of_block(std::uint32_t vertex_block) const { return numbers_[rank(vertex_block)]; }
  std::uint32_t of_root(std::uint32_t root) const { return numbers_[vertex_blocks_ + root]; }
  // Smaller than `vertex`.
  std::uint32_t dominator(std::uint32_t vertex) const { return idom_[vertex]; }

  // Blocks that are no vertices and hang on this block, or root.
  template <typename Visit>
  void for_each_single(std::uint32_t block, Visit visit) const {
    graph_.for_each_target(block, [&](std::uint32_t target) {
      if (!is_vertex(target)) visit(target);
    });
  }

 private:
  std::uint32_t rank(std::uint32_t block) const {
    std::uint64_t below = bits_[block / 64] & ((std::uint64_t{1} << block % 64) - 1);
    return ranks_[block / 64] + static_cast<std::uint32_t>(std::popcount(below));
  }
  void find_vertices();
  void number_all();
  void number_from(std::uint32_t root);
  void add_vertex(std::uint32_t key, std::uint32_t parent, std::uint32_t edge);
  std::uint32_t first_root_edge(std::uint32_t root) const;
  std::uint32_t target(std::uint32_t edge) const;
  std::uint32_t next_edge(std::uint32_t edge) const;
  template <typename Visit>
  void for_each_edge(Visit visit) const;
  void find_predecessors();
  void find_semidominators();
  void find_dominators();
  std::uint32_t evaluate(std::uint32_t vertex, std::uint32_t linked);

  const Graph& graph_;
  std::span<const RootEdge> root_edges_;
  std::uint32_t roots_, vertex_blocks_ = 0, next_ = 1;
  std::vector<std::uint64_t> bits_;
  std::vector<std::uint32_t> ranks_;
  std::vector<std::uint32_t> numbers_;  // by rank of the block, then by root
  std::vector<std::uint32_t> parent_, semi_, label_, idom_;
  std::vector<std::uint32_t> predecessors_begin_, predecessors_, path_;
  std::uint64_t steps_ = 0;
  bool gave_up_ = false;
};

}  // namespace dwell::memory::reach
