// SPDX-License-Identifier: Apache-2.0
// Dominators on graphs that are made up, against their definition: x dominates y if y cannot be reached once x is gone.
#include <gmock/gmock.h>

#include <algorithm>
#include <random>

#include "tests/unit/heap/made_up_heap.h"
#include "userspace/memory/reach/dominators.h"
#include "userspace/memory/reach/held_sums.h"

namespace dwell::testing {
namespace {

using ::testing::ElementsAre;
using Pointers = std::vector<std::pair<std::size_t, std::size_t>>;

// What each of the roots retains, in blocks.
std::vector<std::uint64_t> retained(std::size_t blocks, const Pointers& pointers, const std::vector<RootEdge>& edges,
                                    std::uint32_t roots) {
  MadeUpHeap heap(blocks);
  for (auto [from, to] : pointers) heap.point(from, heap.address(to));
  BlockIndex index = heap.index();
  std::vector<std::uint64_t> sums;
  heap.with_graph(index, [&](const Graph& graph) {
    DominatorTree tree(graph, edges, roots);
    EXPECT_FALSE(tree.gave_up());
    HeldSums held(index, graph, tree, edges, roots, {});
    for (std::uint32_t root = 0; root < roots; ++root) sums.push_back(held.retained(root) / MadeUpHeap::kUsable);
  });
  return sums;
}

// The same by definition.
std::vector<std::uint64_t> retained_by_definition(std::size_t blocks, const Pointers& pointers,
                                                  const std::vector<RootEdge>& edges, std::uint32_t roots) {
  auto reached_without = [&](std::uint32_t gone) {
    std::vector<bool> reached(blocks);
    for (const RootEdge& edge : edges)
      if (edge.root != gone) reached[edge.block] = true;
    for (bool more = true; more;) {
      more = false;
      for (auto [from, to] : pointers)
        if (reached[from] && !reached[to]) reached[to] = more = true;
    }
    return static_cast<std::uint64_t>(std::count(reached.begin(), reached.end(), true));
  };
  std::vector<std::uint64_t> sums;
  for (std::uint32_t root = 0; root < roots; ++root) sums.push_back(reached_without(~0u) - reached_without(root));
  return sums;
}

TEST(Dominators, AChainBelongsToItsRoot) {
  EXPECT_THAT(retained(4, {{0, 1}, {1, 2}}, {{0, 0}, {1, 3}}, 2), ElementsAre(3, 1));
}

TEST(Dominators, WhatTwoRootsHoldBelongsToNeither) {
  EXPECT_THAT(retained(4, {{0, 2}, {1, 2}, {2, 3}}, {{0, 0}, {1, 1}}, 2), ElementsAre(1, 1));
  EXPECT_THAT(retained(2, {}, {{0, 0}, {0, 1}, {1, 1}}, 2), ElementsAre(1, 0));
}

TEST(Dominators, ARingWithTwoEndsBelongsToWhoHoldsBoth) {
  Pointers ring;
  for (std::size_t i = 0; i < 100; ++i) ring.push_back({i, (i + 1) % 100}), ring.push_back({(i + 1) % 100, i});
  EXPECT_THAT(retained(100, ring, {{0, 0}, {0, 99}}, 1), ElementsAre(100));
  EXPECT_THAT(retained(100, ring, {{0, 0}, {1, 50}}, 2), ElementsAre(0, 0));
}

// Two roots lead to a list; one of them and a third lead to another one, which a member of the first list points to as well.
TEST(Dominators, OfWhatSeveralHoldTheLargestPartsAreToldWithAllWhoLeadThere) {
  MadeUpHeap heap(10);
  Pointers pointers = {{0, 1}, {1, 2}, {2, 3}, {5, 6}, {6, 7}, {2, 5}};
  for (auto [from, to] : pointers) heap.point(from, heap.address(to));
  std::vector<RootEdge> edges = {{0, 0}, {1, 0}, {2, 5}, {3, 9}};
  BlockIndex index = heap.index();
  heap.with_graph(index, [&](const Graph& graph) {
    DominatorTree tree(graph, edges, 4);
    std::vector<HeldSums::Shared> shared = HeldSums(index, graph, tree, edges, 4, {}).shared(10);
    ASSERT_EQ(shared.size(), 2u);
    EXPECT_EQ(shared[0].step.block, 0u);
    EXPECT_EQ(shared[0].step.retained, 4 * MadeUpHeap::kUsable);
    EXPECT_THAT(shared[0].roots, ElementsAre(0, 1));
    EXPECT_EQ(shared[1].step.block, 5u);
    EXPECT_EQ(shared[1].step.retained, 3 * MadeUpHeap::kUsable);
    EXPECT_THAT(shared[1].roots, ElementsAre(0, 1, 2)) << "two by way of the first list";
  });
}

TEST(Dominators, AgreeWithTheirDefinitionOnRandomGraphs) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    std::size_t blocks = 1 + random() % 30;
    std::uint32_t roots = 1 + random() % 4;
    Pointers pointers;
    std::vector<int> room(blocks, 5);
    for (std::size_t i = random() % 60; i > 0; --i)
      if (std::size_t from = random() % blocks; room[from]-- > 0) pointers.push_back({from, random() % blocks});
    std::vector<RootEdge> edges;
    for (std::uint32_t root = 0; root < roots; ++root)
      for (std::uint32_t block = 0; block < blocks; ++block)
        if (random() % 8 == 0) edges.push_back({root, block});
    EXPECT_EQ(retained(blocks, pointers, edges, roots), retained_by_definition(blocks, pointers, edges, roots)) << round;
  }
}

}  // namespace
}  // namespace dwell::testing
