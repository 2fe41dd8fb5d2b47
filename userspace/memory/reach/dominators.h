// SPDX-License-Identifier: Apache-2.0
// DominatorTree: what each root and each block holds alone. A block is dominated by what all ways from the roots to it lead
// through: were that gone, the block would be unreachable. Semi-NCA over the graph of blocks.
//
// Vertices are numbered as a depth-first search meets them; 0 stands before all roots. Most blocks are none,
// and cost a bit: a block that is pointed to just once is dominated by what points to it. Of those, the ones
// that point to nothing are left out, and the ones that lead on to no more than one other of them: lists,
// with what hangs on their elements, are a chain each, from a vertex to its end or to a vertex that is
// pointed to just once as well.
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

  static constexpr std::uint32_t kNoBlock = ~0u;
  // From a pointer of a vertex to the next vertex, through the chain of blocks that are none and what hangs
  // on those, each block once. `state` is passed along: visit(block, state of what the block hangs on)
  // returns the block's own; reach(vertex's block, state) is called if there is a vertex.
  template <typename State, typename Visit, typename Reach>
  void follow_chain(std::uint32_t target, State state, Visit visit, Reach reach) const {
    while (target != kNoBlock && !is_vertex(target)) {
      std::uint32_t next = next_in_chain(target);
      state = visit(target, state);
      if (graph_.points(target))
        graph_.for_each_target(target, [&](std::uint32_t leaf) {
          if (leaf != next) visit(leaf, state);
        });
      target = next;
    }
    if (target != kNoBlock) reach(target, state);
  }

 private:
  std::uint32_t rank(std::uint32_t block) const {
    std::uint64_t below = bits_[block / 64] & ((std::uint64_t{1} << block % 64) - 1);
    return ranks_[block / 64] + static_cast<std::uint32_t>(std::popcount(below));
  }
  // Of a block that is no vertex: the one block that it points to and that points on.
  std::uint32_t next_in_chain(std::uint32_t block) const {
    std::uint32_t next = kNoBlock;
    if (graph_.points(block))
      graph_.for_each_target(block, [&](std::uint32_t target) {
        if (graph_.points(target)) next = target;
      });
    return next;
  }
  // The vertex that a pointer to `block` leads to; kNoBlock: none.
  std::uint32_t end_of_chain(std::uint32_t block) const {
    while (block != kNoBlock && !is_vertex(block)) block = next_in_chain(block);
    return block;
  }
  // Pointed to more than once.
  bool is_joined(std::uint32_t block) const { return joined_[block / 64] >> block % 64 & 1; }
  bool may_be_in_chain(std::uint32_t block) const;
  void find_joined();
  void find_vertices();
  void number_all();
  void number_from(std::uint32_t root);
  void add_vertex(std::uint32_t key, std::uint32_t parent, std::uint32_t edge);
  std::uint32_t first_root_edge(std::uint32_t root) const;
  std::uint32_t target(std::uint32_t edge) const;
  std::uint32_t next_edge(std::uint32_t edge) const;
  template <typename Visit>
  void for_each_joining_edge(Visit visit) const;
  void find_predecessors();
  void find_semidominators();
  void find_dominators();
  std::uint32_t evaluate(std::uint32_t vertex, std::uint32_t linked);

  const Graph& graph_;
  std::span<const RootEdge> root_edges_;
  std::uint32_t roots_, vertex_blocks_ = 0, next_ = 1;
  std::vector<std::uint64_t> joined_, bits_;  // a bit a block; bits_: it is a vertex
  std::vector<std::uint32_t> ranks_;
  std::vector<std::uint32_t> numbers_;  // by rank of the block, then by root
  std::vector<std::uint32_t> parent_, semi_, label_, idom_;
  std::vector<std::uint32_t> predecessors_begin_, predecessors_, path_;
  std::uint64_t steps_ = 0;
  bool gave_up_ = false;
};

}  // namespace dwell::memory::reach
