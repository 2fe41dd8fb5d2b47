// SPDX-License-Identifier: Apache-2.0
// A heap that is made up, for what follows pointers.
#pragma once

#include <cstring>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "userspace/memory/reach/candidates.h"
#include "userspace/memory/reach/graph.h"
#include "userspace/memory/reach/roots.h"

namespace dwell::testing {

using namespace memory;
using namespace memory::reach;

constexpr std::uint64_t kHeap = 0x10000, kHeapSize = 0x4000;

// Blocks of 48 usable bytes, 64 apart; what they point to.
class MadeUpHeap {
 public:
  static constexpr std::uint64_t kUsable = 48;

  explicit MadeUpHeap(std::size_t blocks, std::uint32_t header = 0) : blocks_(blocks), header_(header) {}

  std::uint64_t address(std::size_t block) const { return kHeap + 64 * block; }
  // As many pointers as a block has room for.
  void point(std::size_t from, std::uint64_t to) {
    std::uint64_t at = address(from) + 8;
    while (words_.contains(at) && at < address(from) + kUsable) at += 8;
    words_[at] = to;
  }
  void forget(std::size_t from) { words_.erase(address(from) + 8); }

  // `late`: this one was allocated after the walk, or has been freed; kNobody: none was.
  static constexpr std::size_t kNobody = ~std::size_t{0};
  BlockIndex index(std::size_t late = kNobody) const {
    BlockIndex index({{kHeap, kHeap + kHeapSize}});
    for (std::size_t i = 0; i < blocks_; ++i)
      if (i != late) index.add({address(i), 48, header_, 0, heap::BlockState::kLive});
    index.finish();
    return index;
  }

  // Which blocks one look reaches from these.
  std::vector<bool> reached(const BlockIndex& index, std::vector<std::uint32_t> roots,
                            const Candidates* before = nullptr) const {
    std::vector<bool> marked(index.size());
    with_graph(index, [&](const Graph& graph) {
      graph.mark(roots, marked);
      if (before) before->mark_known(index, graph, marked);
    });
    return marked;
  }

  // A whole look, with one word as the only root.
  void look(BlockIndex index, std::uint64_t root, Candidates& candidates) const {
    constexpr std::uint64_t kVariable = 0x8000'0000;
    with_target([&](const heap::Target& target) {
      LateWords late(target, index);
      std::vector<std::uint32_t> roots;
      add_roots(std::span(&root, 1), index, roots, &late, kVariable);
      late.peek();
      WordScan scan(target);
      Graph graph(index, scan, {}, &late);
      std::vector<bool> marked(index.size());
      graph.mark(roots, marked);
      candidates.mark_known(index, graph, marked, late.words());
      candidates.add_look(index, marked);
      candidates.keep(std::move(index), marked, std::move(late).take());
    });
  }

  template <typename Use>
  void with_graph(const BlockIndex& index, Use use) const {
    with_target([&](const heap::Target& target) {
      WordScan scan(target);
      use(Graph(index, scan));
    });
  }

  template <typename Use>
  void with_target(Use use) const {
    ProcessMemory memory(1, [this](std::uint64_t at, void* to, std::size_t size) {
      for (std::size_t i = 0; i < size; i += 8) {
        auto word = words_.find(at + i);
        std::uint64_t value = word == words_.end() ? 0 : word->second;
        std::memcpy(static_cast<char*>(to) + i, &value, 8);
      }
      return size;
    });
    heap::PageStates pages([](std::uint64_t) { return heap::PageState::kPresent; });
    std::vector<Mapping> mappings;
    use(heap::Target{memory, pages, mappings});
  }

 private:
  std::size_t blocks_;
  std::uint32_t header_;
  std::map<std::uint64_t, std::uint64_t> words_;
};

}  // namespace dwell::testing
