// SPDX-License-Identifier: Apache-2.0
// What points to what, on memory that is made up.
#include <gmock/gmock.h>

#include <cstring>

#include "tests/unit/heap/made_up_heap.h"
#include "userspace/memory/reach/candidates.h"
#include "userspace/memory/reach/graph.h"
#include "userspace/memory/reach/lost_blocks.h"
#include "userspace/memory/reach/roots.h"

namespace dwell::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using namespace memory;
using namespace memory::reach;

TEST(BlockIndex, FindsBlocksByAnyAddressInside) {
  BlockIndex index = MadeUpHeap(200).index();
  ASSERT_EQ(index.size(), 200u);
  for (std::uint32_t block : {0u, 1u, 63u, 64u, 199u}) {
    EXPECT_EQ(index.find(kHeap + 64 * block), block);
    EXPECT_EQ(index.find(kHeap + 64 * block + 47), block);
    EXPECT_EQ(index.find(kHeap + 64 * block + 48), BlockIndex::kNone);
    EXPECT_EQ(index.block(block).usable, 48u);
  }
  EXPECT_EQ(index.find(kHeap - 1), BlockIndex::kNone);
  EXPECT_EQ(index.find(kHeap + kHeapSize), BlockIndex::kNone);
  EXPECT_EQ(index.find(0), BlockIndex::kNone);
}

// Behind a block of glibc is the rest of the next one's header, which is nobody else's: "array + 1" holds an array of one element.
TEST(BlockIndex, FindsABlockByAPointerJustBehindIt) {
  BlockIndex index = MadeUpHeap(2, 8).index();
  EXPECT_EQ(index.find(kHeap + 40), 0u);
  EXPECT_EQ(index.find(kHeap + 48), 0u);
  EXPECT_EQ(index.find(kHeap + 49), BlockIndex::kNone);
}

TEST(BlockIndex, FindsABlockThatSpansPages) {
  BlockIndex index({{0x10000, 0x20000}, {0x40000, 0x50000}});
  index.add({0x10010, 0x5000, 0, 0, heap::BlockState::kLive});
  index.add({0x40100, 0x100, 0, 0, heap::BlockState::kLive});
  index.add({0x30000, 0x100, 0, 0, heap::BlockState::kLive});  // outside
  index.finish();
  ASSERT_EQ(index.size(), 2u);
  EXPECT_EQ(index.find(0x14fff), 0u);
  EXPECT_EQ(index.find(0x15010), BlockIndex::kNone);
  EXPECT_EQ(index.find(0x401ff), 1u);
  EXPECT_EQ(index.find(0x40000), BlockIndex::kNone);
  EXPECT_EQ(index.find(0x30010), BlockIndex::kNone);
}

TEST(Graph, ReachesWhatIsPointedToAndInto) {
  MadeUpHeap heap(5);
  heap.point(0, heap.address(1));
  heap.point(1, heap.address(2) + 20);
  heap.point(3, heap.address(0));
  BlockIndex index = heap.index();
  EXPECT_THAT(heap.reached(index, {0}), ElementsAre(true, true, true, false, false));
}

TEST(Candidates, ClaimNothingOnOneLook) {
  MadeUpHeap heap(2);
  Candidates candidates;
  BlockIndex index = heap.index();
  candidates.add_look(index, heap.reached(index, {0}));
  EXPECT_FALSE(candidates.settled());
}

TEST(Candidates, KeepALeakOverAllLooks) {
  MadeUpHeap heap(3);
  heap.point(0, heap.address(1));
  Candidates candidates;
  while (!candidates.settled()) {
    BlockIndex index = heap.index();
    auto marked = heap.reached(index, {0}, &candidates);
    candidates.add_look(index, marked);
    candidates.keep(std::move(index), marked);
  }
  EXPECT_EQ(candidates.looks(), 3);
  EXPECT_THAT(candidates.unreachable(), ElementsAre(LiveBlock{heap.address(2), 48}));
}

// 1 is held by 0 in the first look and by 2 in the second; in neither is 2 reached by another way.
TEST(Candidates, TakeWhatOneLookReachedAsReachable) {
  MadeUpHeap heap(3);
  Candidates candidates;
  heap.point(0, heap.address(2));
  BlockIndex first = heap.index();
  auto marked = heap.reached(first, {0});
  candidates.add_look(first, marked);
  candidates.keep(std::move(first), marked);
  heap.forget(0);
  heap.point(2, heap.address(1));
  BlockIndex second = heap.index();
  marked = heap.reached(second, {0}, &candidates);
  candidates.add_look(second, marked);
  EXPECT_TRUE(candidates.settled());
  EXPECT_THAT(candidates.unreachable(), IsEmpty());
}

// A list of 0, 1 and 2, to whose head another element is added before each look reads it, and after its walk: 3, then 4, then 5.
TEST(Candidates, KnowAListWhoseHeadIsNewInEachLook) {
  MadeUpHeap heap(7);
  Candidates candidates;
  for (std::size_t i = 1; i < 6; ++i) heap.point(i, heap.address(i - 1));
  for (std::size_t head = 3; head < 6; ++head) heap.look(heap.index(head), heap.address(head), candidates);
  EXPECT_THAT(candidates.unreachable(), ElementsAre(LiveBlock{heap.address(6), 48})) << "nothing leads to 6";
}

// The newest element comes and goes: at each walk the one that a look finds is not there.
TEST(Candidates, KnowAListWhoseNewestElementComesAndGoes) {
  MadeUpHeap heap(5);
  Candidates candidates;
  for (std::size_t i = 1; i < 3; ++i) heap.point(i, heap.address(i - 1));
  heap.point(3, heap.address(2)), heap.point(4, heap.address(2));  // in turn the head
  for (std::size_t look = 0; look < 4; ++look) {
    std::size_t head = 3 + look % 2;
    heap.look(heap.index(head), heap.address(head), candidates);
  }
  for (std::size_t stays : {0u, 1u, 2u})
    EXPECT_THAT(candidates.unreachable(), ::testing::Not(::testing::Contains(LiveBlock{heap.address(stays), 48})));
}

// 1 was held by 0, which was freed: a pointer to 0 is still there, and so is what 0 contained.
TEST(Candidates, LeadNowhereByAPointerToWhatWasFreed) {
  MadeUpHeap heap(2);
  Candidates candidates;
  heap.point(0, heap.address(1));
  while (!candidates.settled() && candidates.looks() < Candidates::kMostLooks) heap.look(heap.index(0), heap.address(0), candidates);
  EXPECT_TRUE(candidates.settled());
  EXPECT_THAT(candidates.unreachable(), ElementsAre(LiveBlock{heap.address(1), 48}));
}

TEST(LostBlocks, CountWhatAHeadHoldsOnce) {
  MadeUpHeap heap(6);
  heap.point(0, heap.address(1));  // a chain
  heap.point(1, heap.address(2));
  heap.point(3, heap.address(4));  // a ring
  heap.point(4, heap.address(3));
  BlockIndex index = heap.index();
  heap.with_graph(index, [&](const Graph& graph) {
    std::vector<LostBlock> lost = lost_blocks(index, graph, {0, 1, 2, 3, 4, 5});
    ASSERT_EQ(lost.size(), 3u);
    EXPECT_EQ(lost[0].block.address, heap.address(0));
    EXPECT_EQ(lost[0].held_blocks, 2u);
    EXPECT_EQ(lost[0].held_bytes, 96u);
    EXPECT_EQ(lost[1].block.address, heap.address(5));
    EXPECT_TRUE(lost[2].in_cycle);
    EXPECT_EQ(lost[2].held_blocks, 1u);
  });
}

TEST(Roots, LeaveOutHeapsAndWhatIsBelowAStackPointer) {
  MappingUse data{}, constant{}, stack{}, heap_mapping{};
  data.mapping.start = 0x1000, data.mapping.end = 0x3000, data.mapping.readable = data.mapping.writable = true;
  constant = data, constant.mapping.start = 0x4000, constant.mapping.end = 0x5000, constant.mapping.writable = false;
  stack = data, stack.mapping.start = 0x8000, stack.mapping.end = 0xa000;
  heap_mapping = data, heap_mapping.mapping.start = 0xb000, heap_mapping.mapping.end = 0xd000;
  for (MappingUse* use : {&data, &constant, &stack, &heap_mapping}) use->resident = 4096;
  std::vector<heap::Range> ranges =
      root_ranges({data, constant, stack, heap_mapping}, {{0xb800, 0xd000}}, {{{0x8000, 0xa000}, 7, 0x9000}}, {{0xc000, 0xc100}});
  std::vector<std::pair<std::uint64_t, std::uint64_t>> seen;
  for (const heap::Range& range : ranges) seen.push_back({range.start, range.end});
  EXPECT_THAT(seen, ElementsAre(std::pair(0x1000, 0x3000), std::pair(0x9000 - 128, 0xa000), std::pair(0xb000, 0xb800),
                                std::pair(0xc000, 0xc100)));
}

TEST(Roots, StandAtAnyByteOfGeneratedCode) {
  MadeUpHeap heap(3);
  BlockIndex index = heap.index();
  std::uint64_t block = heap.address(2);
  std::string code(64, '\x90');
  std::memcpy(code.data() + 13, &block, 8);
  ProcessMemory memory(1, [&](std::uint64_t at, void* to, std::size_t size) {
    std::memcpy(to, code.data() + (at - 0x1000), size);
    return size;
  });
  heap::PageStates pages([](std::uint64_t) { return heap::PageState::kPresent; });
  std::vector<Mapping> mappings;
  heap::Target target{memory, pages, mappings};
  WordScan scan(target);
  EXPECT_THAT(roots_in({{0x1000, 0x1040}}, index, scan), IsEmpty());
  EXPECT_THAT(roots_in_code({{0x1000, 0x1040}}, index, scan), ElementsAre(2u));
}

TEST(Roots, AreWordsThatTheKernelKeeps) {
  std::vector<std::uint64_t> words;
  add_epoll_words("pos:\t0\nflags:\t02\ntfd:        5 events:       19 data:     55d0aabbccd0  pos:0 ino:3 sdev:e\n", words);
  add_timer_words("ID: 0\nsignal: 14/00000055d0112230\nnotify: signal/pid.7\nClockID: 0\n", words);
  EXPECT_THAT(words, ElementsAre(0x55d0aabbccd0u, 0x55d0112230u));
}

}  // namespace
}  // namespace dwell::testing
