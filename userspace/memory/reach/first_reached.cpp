// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/reach/first_reached.h"

#include <absl/container/flat_hash_set.h>

#include <algorithm>
#include <numeric>
#include <tuple>

namespace dwell::memory::reach {
namespace {

std::vector<std::uint32_t> in_order(const NamedRoots& roots) {
  auto rank = [&](std::uint32_t number) {
    const Root& root = roots.roots()[number];
    return std::tuple(root.kind, !roots.is_of_program(root), root.address, root.tid);
  };
  std::vector<std::uint32_t> order(roots.roots().size());
  std::iota(order.begin(), order.end(), 0u);
  std::ranges::sort(order, {}, rank);
  return order;
}

// Within as many blocks as may be allocated from one look to the next.
bool leads_to_held(const Graph& graph, std::uint32_t block, const std::vector<bool>& marked) {
  constexpr std::size_t kMostBlocks = 1 << 14;
  bool leads = false;
  std::vector<std::uint32_t> open = {block};
  absl::flat_hash_set<std::uint32_t> met = {block};
  while (!open.empty() && !leads && met.size() < kMostBlocks) {
    std::uint32_t at = open.back();
    open.pop_back();
    graph.for_each_target(at, [&](std::uint32_t target) {
      leads |= marked[target];
      if (met.insert(target).second) open.push_back(target);
    });
  }
  return leads;
}

}  // namespace

FirstReached::FirstReached(const Graph& graph, const NamedRoots& roots)
    : graph_(graph), reached_by_(graph.blocks(), kNone) {
  const std::vector<RootEdge>& edges = roots.edges();
  for (std::uint32_t root : in_order(roots)) {
    auto edge = std::ranges::lower_bound(edges, root, {}, &RootEdge::root);
    for (; edge != edges.end() && edge->root == root; ++edge) reach(edge->block, root);
  }
}

void FirstReached::reach(std::uint32_t from, std::uint32_t root) {
  auto meet = [&](std::uint32_t block) {
    if (reached_by_[block] != kNone) return;
    reached_by_[block] = root;
    if (graph_.points(block)) open_.push_back(block);
  };
  meet(from);
  while (!open_.empty()) {
    std::uint32_t block = open_.back();
    open_.pop_back();
    graph_.for_each_target(block, meet);
  }
}

// What lies in the program's heap and data comes before libraries and stacks: an element that is about to become the head of a list
// leads to all of it, and so does what lies where the break was (`__curbrk`). What leads to a block that is held is left to its holder.
void hold_late_words(const Graph& graph, const BlockIndex& index, const FoundLate& late, NamedRoots& roots, std::vector<bool>& marked) {
  bool in_heap = false;
  auto may_hold = [&](std::uint64_t from, std::uint32_t block) {
    if (!from || block == BlockIndex::kNone || marked[block]) return false;
    in_heap |= index.is_in_heap(from);
    return !index.is_in_heap(from) && !leads_to_held(graph, block, marked);
  };
  auto follow = [&] {
    std::vector<RootEdge> found;
    FirstReached(graph, roots).follow(late, index, [&](std::uint32_t root, std::uint32_t block) { found.push_back({root, block}); });
    for (const RootEdge& edge : found) {
      roots.hold(edge);
      graph.mark(edge.block, marked);
    }
    roots.finish();
  };
  auto hold = [&](bool second) {
    auto meet = [&](std::uint64_t from, std::uint64_t to) {
      std::uint32_t block = index.find(to);
      if (!may_hold(from, block) || roots.comes_second(from) != second) return;
      roots.hold_late(from, block);
      graph.mark(block, marked);
    };
    for (const LateWord& word : late.words) meet(word.from, word.word);
    for (const PeekedWord& peeked : late.peeked) meet(peeked.late.from, peeked.target);
    roots.finish();
  };
  for (const LateWord& word : late.words) may_hold(word.from, index.find(word.word));
  for (const PeekedWord& peeked : late.peeked) may_hold(peeked.late.from, index.find(peeked.target));
  if (in_heap) follow();
  hold(false);
  hold(true);
  if (in_heap) follow();
}

}  // namespace dwell::memory::reach
