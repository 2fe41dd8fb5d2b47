// SPDX-License-Identifier: Apache-2.0
// HeldSums: adds up over a dominator tree what each root holds, and what kind of blocks those are.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <map>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include "userspace/memory/reach/block_index.h"
#include "userspace/memory/reach/dominators.h"

namespace dwell::memory::reach {

// Of a block: 0: none that is known.
using TypeNumber = std::uint16_t;

class HeldSums {
 public:
  // `types` by block; empty: not known.
  HeldSums(const BlockIndex& index, const Graph& graph, const DominatorTree& tree, std::span<const RootEdge> edges,
           std::uint32_t roots, const std::vector<TypeNumber>& types);

  std::uint64_t retained(std::uint32_t root) const { return retained_[tree_.of_root(root)]; }

  struct Group {
    std::uint64_t blocks = 0, bytes = 0;
    void add(std::uint64_t usable) { ++blocks, bytes += usable; }
  };
  // Of one block: its place in the list of roots (then: several, others, leaked, not seen), and the class
  // that it is of or hangs on.
  struct Label {
    std::uint16_t owner : 15 = 0;
    std::uint16_t inherited : 1 = 0;  // it hangs on an object of that class
    TypeNumber type = 0;
    bool operator==(const Label&) const = default;
  };
  using Kind = std::tuple<TypeNumber, bool, std::uint64_t>;  // type, whether it is a holder's, usable bytes if there is none
  using Groups = std::map<Kind, Group>;
  // What each of these roots holds; then what several hold, what others hold, and what nothing leads to:
  // first what is in `leaked`, which is in address order. `labels`: of each block, where they are wanted.
  std::vector<Groups> group(const std::vector<std::uint32_t>& of_roots,
                            const std::vector<LiveBlock>& leaked = {}, std::vector<Label>* labels = nullptr);

  struct Step {
    std::uint32_t block;
    std::uint64_t retained;
  };
  // From each of these roots down, as long as nine tenths hang on one block.
  std::vector<std::vector<Step>> paths(const std::vector<std::uint32_t>& of_roots) const;

  struct Shared {
    Step step;
    std::vector<std::uint32_t> roots;  // that lead to it, each by a way of its own, ascending
  };
  // What more than one root leads to and what hangs on no other such block: the `most` largest.
  std::vector<Shared> shared(std::size_t most) const;

 private:
  template <typename Visit>
  void for_each_vertex(Visit visit) const;  // of a block: visit(block, vertex)
  // Of vertices that roots lead to, and of roots: visit(vertex, block).
  template <typename Visit>
  void for_each_pointer_of_vertices(Visit visit) const;
  // Of what lies between a pointer and the next vertex: usable bytes, and that vertex's block, or
  // DominatorTree::kNoBlock.
  std::pair<std::uint64_t, std::uint32_t> chain_bytes(std::uint32_t target) const;
  void retain();
  std::vector<std::uint32_t> tops() const;
  void inherit(const std::vector<std::uint32_t>& of_roots);
  void inherit_along_chains();
  Label label(std::uint32_t block, std::uint32_t vertex, TypeNumber inherited) const;
  // 0: not to a vertex.
  std::uint32_t step_along_chain(std::vector<Step>& path, std::uint32_t target, std::uint64_t whole) const;
  void add(Groups& to, std::uint32_t block, TypeNumber type) const;

  const BlockIndex& index_;
  const Graph& graph_;
  const DominatorTree& tree_;
  std::span<const RootEdge> edges_;
  std::uint32_t roots_;
  const std::vector<TypeNumber>& types_;
  std::vector<std::uint64_t> retained_;   // bytes, by vertex
  std::vector<std::uint16_t> owners_;     // by vertex: place in the list that was asked for
  std::vector<TypeNumber> inherited_;     // by vertex: of the nearest one that has a type, itself included
};

}  // namespace dwell::memory::reach
