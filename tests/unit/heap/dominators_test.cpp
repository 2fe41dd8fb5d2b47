// SPDX-License-Identifier: Apache-2.0
// Dominators on graphs that are made up, against their definition: x dominates y if y cannot be reached once
// x is gone.
#include "userspace/memory/reach/dominators.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "tests/unit/heap/made_up_heap.h"
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
    EXPECT_EQ(retained(blocks, pointers, edges, roots),
              retained_by_definition(blocks, pointers, edges, roots))
        << round;
  }
}

// A graph of few pointers, most of them in lists with something on their elements, and a type for each sixth
// block.
struct MadeUpLists {
  std::size_t blocks = 0;
  std::uint32_t roots = 0;
  Pointers pointers;
  std::vector<RootEdge> edges;
  std::vector<TypeNumber> types;

  explicit MadeUpLists(std::mt19937& random) : blocks(2 + random() % 40), roots(1 + random() % 3) {
    std::size_t from = 0;
    for (std::size_t to = 1; to < blocks; ++to) {
      if (random() % 8 == 0)
        edges.push_back({static_cast<std::uint32_t>(random() % roots), static_cast<std::uint32_t>(to)});
      if (random() % 8 != 0 && room(from)) pointers.push_back({from, to});
      if (random() % 2 == 0) from = to;
    }
    edges.push_back({0, 0});
    for (std::size_t i = random() % 4; i > 0; --i)
      if (std::size_t any = random() % blocks; room(any)) pointers.push_back({any, random() % blocks});
    std::ranges::sort(edges, {}, [](const RootEdge& edge) { return std::pair(edge.root, edge.block); });
    for (std::size_t i = 0; i < blocks; ++i)
      types.push_back(random() % 6 == 0 ? static_cast<TypeNumber>(i + 1) : TypeNumber{0});
  }
  bool room(std::size_t from) const {
    return std::ranges::count(pointers, from, &std::pair<std::size_t, std::size_t>::first) < 5;
  }
  std::vector<bool> reached_without(std::size_t block, std::uint32_t root = ~0u) const {
    std::vector<bool> reached(blocks);
    for (const RootEdge& edge : edges)
      if (edge.root != root && edge.block != block) reached[edge.block] = true;
    for (bool more = true; more;) {
      more = false;
      for (auto [from, to] : pointers)
        if (reached[from] && !reached[to] && to != block) reached[to] = more = true;
    }
    return reached;
  }
  std::uint64_t retained(std::size_t block) const {
    std::vector<bool> all = reached_without(~std::size_t{0}), left = reached_without(block);
    return static_cast<std::uint64_t>(std::ranges::count(all, true) - std::ranges::count(left, true));
  }
};

// Its own, or that of the nearest dominator that has one.
TypeNumber type_by_definition(const MadeUpLists& lists, std::size_t block) {
  TypeNumber type = lists.types[block];
  std::uint64_t least = ~std::uint64_t{0};  // of two dominators the nearer one retains less
  for (std::size_t other = 0; other < lists.blocks && !lists.types[block]; ++other)
    if (lists.types[other] && !lists.reached_without(other)[block] && lists.retained(other) < least)
      least = lists.retained(other), type = lists.types[other];
  return type;
}

// The block that nine tenths of a whole hang on, the nearest one; what points to nothing is no step.
std::vector<std::uint32_t> path_by_definition(const MadeUpLists& lists, std::uint32_t root) {
  std::vector<bool> all = lists.reached_without(~std::size_t{0}),
                    left = lists.reached_without(~std::size_t{0}, root);
  std::vector<std::uint32_t> path;
  std::vector<bool> in_whole(lists.blocks);
  std::uint64_t whole = 0;
  for (std::size_t i = 0; i < lists.blocks; ++i)
    if (all[i] && !left[i]) in_whole[i] = true, ++whole;
  while (path.size() < 6) {
    std::uint64_t most = 0;
    std::uint32_t step = 0;
    for (std::uint32_t i = 0; i < lists.blocks; ++i)
      if (in_whole[i] && lists.retained(i) > most) most = lists.retained(i), step = i;
    if (most == 0 || most * 10 < whole * 9) break;
    bool points = std::ranges::any_of(
        lists.pointers, [&](auto pointer) { return pointer.first == step && pointer.second != step; });
    if (!points) break;
    path.push_back(step);
    std::vector<bool> without = lists.reached_without(step);
    for (std::size_t i = 0; i < lists.blocks; ++i) in_whole[i] = in_whole[i] && !without[i] && i != step;
    whole = most;
  }
  return path;
}

TEST(Dominators, GiveTypesAndPathsAlongLists) {
  std::mt19937 random(11);
  for (int round = 0; round < 500; ++round) {
    MadeUpLists lists(random);
    MadeUpHeap heap(lists.blocks);
    for (auto [from, to] : lists.pointers) heap.point(from, heap.address(to));
    BlockIndex index = heap.index();
    heap.with_graph(index, [&](const Graph& graph) {
      DominatorTree tree(graph, lists.edges, lists.roots);
      HeldSums held(index, graph, tree, lists.edges, lists.roots, lists.types);
      std::vector<std::uint32_t> roots(lists.roots);
      std::iota(roots.begin(), roots.end(), 0u);
      std::vector<HeldSums::Label> labels;
      held.group(roots, {}, &labels);
      std::vector<bool> reached = lists.reached_without(~std::size_t{0});
      for (std::size_t i = 0; i < lists.blocks; ++i)
        EXPECT_EQ(labels[i].type, reached[i] ? type_by_definition(lists, i) : lists.types[i])
            << round << " block " << i;
      std::vector<std::vector<HeldSums::Step>> paths = held.paths(roots);
      for (std::uint32_t root : roots) {
        std::vector<std::uint32_t> path;
        for (const HeldSums::Step& step : paths[root]) {
          if (graph.points(step.block)) path.push_back(step.block);
          EXPECT_EQ(step.retained, lists.retained(step.block) * MadeUpHeap::kUsable) << round;
        }
        EXPECT_EQ(path, path_by_definition(lists, root)) << round << " root " << root;
      }
    });
  }
}

// What lists are made of costs a bit each.
TEST(Dominators, BlocksOfListsAreNoVertices) {
  MadeUpHeap heap(200);
  for (std::size_t i = 0; i + 2 < 200; i += 2)
    heap.point(i, heap.address(i + 1)), heap.point(i, heap.address(i + 2));
  BlockIndex index = heap.index();
  std::vector<RootEdge> edges = {{0, 0}};
  heap.with_graph(index,
                  [&](const Graph& graph) { EXPECT_EQ(DominatorTree(graph, edges, 1).vertices(), 2u); });
}

}  // namespace
}  // namespace dwell::testing
