// SPDX-License-Identifier: Apache-2.0
// The rules of the ledger, one story each.
#include "userspace/memory/ledger.h"

#include <gtest/gtest.h>

#include <map>

namespace dwell {
namespace {

constexpr StackId kStackA{1}, kStackB{2};
constexpr Tid kThread = 100, kOtherThread = 101;
constexpr std::uint64_t kPage = 4096;

struct Totals {
  std::int64_t blocks = 0, bytes = 0;
  bool operator==(const Totals&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Totals& totals) {
  return out << totals.blocks << " blocks, " << totals.bytes << " bytes";
}

// A ledger that is told a story, with a clock that advances 1 ms at each event.
class Story {
 public:
  explicit Story(LedgerLimits limits = {}) : ledger_(0, 0, limits) {}

  std::uint64_t now() const { return now_; }
  void wait(std::uint64_t ns) { now_ += ns; }
  Story& alloc(std::uint64_t address, std::uint64_t size, StackId stack = kStackA, Tid tid = kThread,
               ProcessSlot process = 0) {
    ledger_.apply(Alloc{tick(), address, size, stack, tid, process});
    return *this;
  }
  Story& free(std::uint64_t address, Tid tid = kThread, ProcessSlot process = 0) {
    ledger_.apply(Free{tick(), address, tid, process, false});
    return *this;
  }
  Story& thread_exit(Tid tid) {
    ledger_.apply(ThreadExit{tick(), tid, 0});
    return *this;
  }
  Story& inner_free(std::uint64_t address, Tid tid = kThread) {
    ledger_.apply(Free{tick(), address, tid, 0, true});
    return *this;
  }
  Story& realloc_begin(std::uint64_t address, Tid tid = kThread) {
    ledger_.apply(ReallocBegin{tick(), address, tid, 0});
    return *this;
  }
  Story& realloc_end(std::uint64_t old_address, std::uint64_t address, std::uint64_t size, StackId stack = kStackA,
                     Tid tid = kThread) {
    ledger_.apply(ReallocEnd{tick(), old_address, address, size, stack, tid, 0});
    return *this;
  }
  Story& map(std::uint64_t address, std::uint64_t size, MemoryKind kind = MemoryKind::kMapping,
             StackId stack = kStackA) {
    ledger_.apply(Map{tick(), address, size, 0, 0, kind, stack, kThread, 0});
    return *this;
  }
  Story& remap(std::uint64_t old_address, std::uint64_t old_size, std::uint64_t address, std::uint64_t size) {
    ledger_.apply(Map{tick(), address, size, old_address, old_size, MemoryKind::kReserved, kStackB, kThread, 0});
    return *this;
  }
  Story& unmap(std::uint64_t address, std::uint64_t size) {
    ledger_.apply(Unmap{tick(), address, size, kThread, 0});
    return *this;
  }
  Story& fork(ProcessSlot parent, ProcessSlot child) {
    ledger_.apply(Event(Fork{tick(), parent, child}));
    return *this;
  }
  Story& exec(ProcessSlot process) {
    ledger_.apply(Event(Exec{tick(), process}));
    return *this;
  }
  Story& exit(ProcessSlot process) {
    ledger_.apply(Event(ProcessExit{tick(), process}));
    return *this;
  }

  MemoryTick take_tick() {
    MemoryTick tick = ledger_.take_tick(now_);
    ticks_.push_back(tick);
    return tick;
  }

  // What is live, told twice: by the ticks, and by the blocks. Both must agree at every moment.
  Totals live(ProcessSlot process = 0, MemoryKind kind = MemoryKind::kHeap, std::optional<StackId> stack = {}) {
    take_tick();
    auto asked = [&](std::uint32_t index) {
      Series series = ledger_.series()[index];
      return series.process == process && series.kind == kind && (!stack || series.stack == *stack);
    };
    Totals by_ticks, by_blocks;
    for (const MemoryTick& tick : ticks_) {
      for (const TickRow& row : tick.rows) {
        if (!asked(row.series)) continue;
        by_ticks.blocks += static_cast<std::int64_t>(row.allocs - row.frees);
        by_ticks.bytes += static_cast<std::int64_t>(row.alloc_bytes - row.freed_bytes);
      }
      for (const MovedRow& row : tick.moved) {
        if (!asked(row.series)) continue;
        by_ticks.blocks += row.blocks;
        by_ticks.bytes += row.bytes;
      }
    }
    for (const LiveBlock& block : ledger_.live_blocks()) {
      if (!asked(block.series)) continue;
      by_blocks.blocks += block.part ? 0 : 1;
      by_blocks.bytes += static_cast<std::int64_t>(block.size);
    }
    EXPECT_EQ(by_ticks, by_blocks);
    EXPECT_EQ(ledger_.block_count(), ledger_.live_blocks().size());
    return by_blocks;
  }
  Surprises surprises() {
    take_tick();
    Surprises sum;
    for (const MemoryTick& tick : ticks_) {
      sum.unknown_frees += tick.surprises.unknown_frees;
      sum.implied_frees += tick.surprises.implied_frees;
      sum.orphan_reallocs += tick.surprises.orphan_reallocs;
      sum.refused_blocks += tick.surprises.refused_blocks;
      sum.cache_frees += tick.surprises.cache_frees;
    }
    return sum;
  }
  MemoryLedger& ledger() { return ledger_; }

 private:
  std::uint64_t tick() { return now_ += 1'000'000; }
  std::uint64_t now_ = 0;
  MemoryLedger ledger_;
  std::vector<MemoryTick> ticks_;
};

constexpr Surprises kNone{};

TEST(MemoryLedger, ABlockStaysUntilItIsFreed) {
  Story story;
  story.alloc(0x1000, 100).alloc(0x2000, 50, kStackB).alloc(0x3000, 7);
  EXPECT_EQ(story.live(), (Totals{3, 157}));
  story.free(0x1000);
  EXPECT_EQ(story.live(), (Totals{2, 57}));
  EXPECT_EQ(story.live(0, MemoryKind::kHeap, kStackB), (Totals{1, 50}));
  EXPECT_EQ(story.surprises(), kNone);
}

TEST(MemoryLedger, ABlockMayBeFreedByAnotherThread) {
  Story story;
  story.alloc(0x1000, 100, kStackA, kThread).free(0x1000, kOtherThread);
  EXPECT_EQ(story.live(), (Totals{0, 0}));
  EXPECT_EQ(story.surprises(), kNone);
}

TEST(MemoryLedger, AFailedAllocationIsNoBlock) {
  Story story;
  story.alloc(0, 1 << 30).free(0);
  EXPECT_EQ(story.live(), (Totals{0, 0}));
  EXPECT_EQ(story.surprises(), kNone);
}

TEST(MemoryLedger, AnEmptyBlockIsABlock) {
  Story story;
  story.alloc(0x1000, 0);
  EXPECT_EQ(story.live(), (Totals{1, 0}));
  story.free(0x1000);
  EXPECT_EQ(story.live(), (Totals{0, 0}));
}

TEST(MemoryLedger, AFreeOfABlockOlderThanTheAttachIsCounted) {
  Story story;
  story.free(0x1000);
  EXPECT_EQ(story.surprises().unknown_frees, 1u);
}

TEST(MemoryLedger, WhatAThreadFreesLastOfAllIsItsCache) {
  Story story;
  story.free(0x9000, kOtherThread).alloc(0x1000, 100, kStackA, kOtherThread).free(0x1000, kOtherThread);
  story.free(0x1000, kOtherThread).free(0x2000, kOtherThread).thread_exit(kOtherThread);
  EXPECT_EQ(story.surprises(), (Surprises{3, 0, 0, 0, 2})) << "the first one was before it did something else";
  EXPECT_EQ(story.ledger().unknown_frees(), 1u);
  story.free(0x3000, kThread).thread_exit(kOtherThread);
  EXPECT_EQ(story.surprises().cache_frees, 2u) << "of another thread";
}

TEST(MemoryLedger, OperatorDeleteAndTheFreeInsideItAreOneFree) {
  Story story;
  story.alloc(0x1000, 100).free(0x1000).inner_free(0x1000);
  EXPECT_EQ(story.live(), (Totals{0, 0}));
  EXPECT_EQ(story.surprises(), kNone);
}

TEST(MemoryLedger, AnAddressGivenOutAgainMeansThatItsFreeWasLost) {
  Story story;
  story.alloc(0x1000, 100, kStackA).alloc(0x1000, 30, kStackB);
  EXPECT_EQ(story.live(), (Totals{1, 30}));
  EXPECT_EQ(story.live(0, MemoryKind::kHeap, kStackA), (Totals{0, 0}));
  EXPECT_EQ(story.surprises().implied_frees, 1u);
}

TEST(MemoryLedger, ReallocMovesABlock) {
  Story story;
  story.alloc(0x1000, 100).realloc_begin(0x1000).realloc_end(0x1000, 0x5000, 400, kStackB);
  EXPECT_EQ(story.live(), (Totals{1, 400}));
  EXPECT_EQ(story.live(0, MemoryKind::kHeap, kStackB), (Totals{1, 400})) << "it belongs to who asked last";
  EXPECT_EQ(story.surprises(), kNone);
}

TEST(MemoryLedger, ReallocGrowsABlockInPlace) {
  Story story;
  story.alloc(0x1000, 100).realloc_begin(0x1000).realloc_end(0x1000, 0x1000, 400);
  EXPECT_EQ(story.live(), (Totals{1, 400}));
  EXPECT_EQ(story.surprises(), kNone);
}

TEST(MemoryLedger, AFailedReallocKeepsTheOldBlock) {
  Story story;
  story.alloc(0x1000, 100).realloc_begin(0x1000).realloc_end(0x1000, 0, 1ull << 40, kStackB);
  EXPECT_EQ(story.live(0, MemoryKind::kHeap, kStackA), (Totals{1, 100}));
  MemoryTick tick = story.take_tick();
  EXPECT_TRUE(tick.rows.empty());
  story.free(0x1000);
  EXPECT_EQ(story.live(), (Totals{0, 0}));
  EXPECT_EQ(story.surprises(), kNone);
}

TEST(MemoryLedger, ReallocToNothingIsAFree) {
  Story story;
  story.alloc(0x1000, 100).realloc_begin(0x1000).realloc_end(0x1000, 0, 0);
  EXPECT_EQ(story.live(), (Totals{0, 0}));
  EXPECT_EQ(story.surprises(), kNone);
}

TEST(MemoryLedger, ReallocOfNothingIsAnAllocation) {
  Story story;
  story.realloc_end(0, 0x1000, 100);
  EXPECT_EQ(story.live(), (Totals{1, 100}));
  EXPECT_EQ(story.surprises(), kNone);
}

TEST(MemoryLedger, WhileReallocHoldsABlockItsAddressMayGoToAnotherThread) {
  Story story;
  story.alloc(0x1000, 100, kStackA);
  story.realloc_begin(0x1000, kThread);
  EXPECT_EQ(story.live(), (Totals{1, 100})) << "in the hands of realloc it is still there";
  story.alloc(0x1000, 30, kStackB, kOtherThread);
  story.realloc_end(0x1000, 0x5000, 400, kStackA, kThread);
  EXPECT_EQ(story.live(0, MemoryKind::kHeap, kStackA), (Totals{1, 400}));
  EXPECT_EQ(story.live(0, MemoryKind::kHeap, kStackB), (Totals{1, 30}));
  EXPECT_EQ(story.surprises(), kNone);
}

TEST(MemoryLedger, ReallocOfABlockOlderThanTheAttachIsCountedAndTracked) {
  Story story;
  story.realloc_begin(0x1000).realloc_end(0x1000, 0x5000, 400);
  EXPECT_EQ(story.live(), (Totals{1, 400}));
  EXPECT_EQ(story.surprises(), (Surprises{1, 0, 0, 0}));
}

TEST(MemoryLedger, AReallocWhoseEndWasLostDoesNotBecomeALeak) {
  Story story;
  story.alloc(0x1000, 100).realloc_begin(0x1000).realloc_begin(0x9000).realloc_end(0x9000, 0x9000, 5);
  EXPECT_EQ(story.live(), (Totals{1, 5}));
  EXPECT_EQ(story.surprises().orphan_reallocs, 1u);
}

TEST(MemoryLedger, AReallocWhoseBeginWasLostStillReleasesTheOldBlock) {
  Story story;
  story.alloc(0x1000, 100).realloc_end(0x1000, 0x5000, 400);
  EXPECT_EQ(story.live(), (Totals{1, 400}));
  EXPECT_EQ(story.surprises(), (Surprises{0, 0, 1, 0}));
}

TEST(MemoryLedger, MunmapMayTakeAnyPartOfAMapping) {
  Story story;
  story.map(0x10000, 10 * kPage);
  story.unmap(0x10000 + 4 * kPage, 2 * kPage);
  EXPECT_EQ(story.live(0, MemoryKind::kMapping), (Totals{1, 8 * kPage})) << "two pieces are still one mapping";
  story.unmap(0x10000, 4 * kPage);
  EXPECT_EQ(story.live(0, MemoryKind::kMapping), (Totals{1, 4 * kPage}));
  story.unmap(0x10000, 100 * kPage);
  EXPECT_EQ(story.live(0, MemoryKind::kMapping), (Totals{0, 0}));
}

TEST(MemoryLedger, OneMunmapMayTakeManyMappingsAndGapsBetween) {
  Story story;
  story.map(0x10000, kPage).map(0x20000, kPage).map(0x30000, 2 * kPage);
  story.unmap(0x10000, 0x30000 + kPage - 0x10000);
  EXPECT_EQ(story.live(0, MemoryKind::kMapping), (Totals{1, kPage}));
}

TEST(MemoryLedger, ANewMappingReplacesWhatItCovers) {
  Story story;
  story.map(0x10000, 4 * kPage, MemoryKind::kReserved, kStackA);
  story.map(0x10000 + kPage, kPage, MemoryKind::kMapping, kStackB);
  EXPECT_EQ(story.live(0, MemoryKind::kReserved), (Totals{1, 3 * kPage}));
  EXPECT_EQ(story.live(0, MemoryKind::kMapping), (Totals{1, kPage}));
}

TEST(MemoryLedger, MremapMovesAMappingAndKeepsItsKind) {
  Story story;
  story.map(0x10000, 4 * kPage, MemoryKind::kFile);
  story.remap(0x10000, 4 * kPage, 0x90000, 8 * kPage);
  EXPECT_EQ(story.live(0, MemoryKind::kFile), (Totals{1, 8 * kPage}));
  EXPECT_EQ(story.live(0, MemoryKind::kReserved), (Totals{0, 0}));
}

TEST(MemoryLedger, MremapMayShrinkInPlace) {
  Story story;
  story.map(0x10000, 4 * kPage);
  story.remap(0x10000, 4 * kPage, 0x10000, kPage);
  EXPECT_EQ(story.live(0, MemoryKind::kMapping), (Totals{1, kPage}));
}

TEST(MemoryLedger, AMappingAtTheEndOfTheAddressSpaceDoesNotWrapAround) {
  Story story;
  story.map(0x1000, kPage).map(~std::uint64_t{0} - kPage, 8 * kPage);
  EXPECT_EQ(story.live(0, MemoryKind::kMapping), (Totals{2, 2 * kPage}));
}

TEST(MemoryLedger, KindsAreNeverAddedUp) {
  Story story;
  story.alloc(0x1000, 10).map(0x10000, kPage, MemoryKind::kMapping).map(0x20000, kPage, MemoryKind::kFile);
  story.map(0x30000, kPage, MemoryKind::kReserved);
  EXPECT_EQ(story.live(0, MemoryKind::kHeap), (Totals{1, 10}));
  for (MemoryKind kind : {MemoryKind::kMapping, MemoryKind::kFile, MemoryKind::kReserved})
    EXPECT_EQ(story.live(0, kind), (Totals{1, kPage}));
}

TEST(MemoryLedger, AForkedChildStartsWithACopyAndGoesItsOwnWay) {
  Story story;
  story.alloc(0x1000, 100).alloc(0x2000, 50).map(0x10000, kPage);
  story.fork(0, 1);
  EXPECT_EQ(story.live(1), (Totals{2, 150}));
  EXPECT_EQ(story.live(1, MemoryKind::kMapping), (Totals{1, kPage}));
  story.free(0x1000, kOtherThread, 1);
  story.alloc(0x3000, 7, kStackB, kOtherThread, 1);
  EXPECT_EQ(story.live(0), (Totals{2, 150}));
  EXPECT_EQ(story.live(1), (Totals{2, 57}));
  EXPECT_EQ(story.surprises(), kNone);
}

TEST(MemoryLedger, WhatAChildInheritedIsNotCountedAsItsAllocation) {
  Story story;
  story.alloc(0x1000, 100).take_tick();
  MemoryTick tick = story.fork(0, 1).take_tick();
  ASSERT_EQ(tick.moved.size(), 1u);
  EXPECT_EQ(tick.moved[0].bytes, 100);
  ASSERT_EQ(tick.rows.size(), 1u);
  EXPECT_EQ(tick.rows[0].allocs, 0u);
}

TEST(MemoryLedger, ABlockThatReallocHoldsIsInheritedToo) {
  Story story;
  story.alloc(0x1000, 100).realloc_begin(0x1000, kOtherThread).fork(0, 1);
  EXPECT_EQ(story.live(1), (Totals{1, 100}));
  story.realloc_end(0x1000, 0x5000, 10, kStackA, kOtherThread);
  EXPECT_EQ(story.live(0), (Totals{1, 10}));
  EXPECT_EQ(story.live(1), (Totals{1, 100}));
}

TEST(MemoryLedger, ExecDropsAllMemoryOfTheProcessWithoutAFree) {
  Story story;
  story.alloc(0x1000, 100).map(0x10000, kPage).realloc_begin(0x1000).fork(0, 1).exec(0);
  EXPECT_EQ(story.live(0), (Totals{0, 0}));
  EXPECT_EQ(story.live(0, MemoryKind::kMapping), (Totals{0, 0}));
  EXPECT_EQ(story.live(1), (Totals{1, 100}));
  story.alloc(0x1000, 5);
  EXPECT_EQ(story.live(0), (Totals{1, 5}));
  EXPECT_EQ(story.surprises(), kNone);
}

TEST(MemoryLedger, AProcessThatEndsKeepsWhatItNeverFreed) {
  Story story;
  story.alloc(0x1000, 100).alloc(0x2000, 50).free(0x2000).exit(0);
  EXPECT_EQ(story.live(0), (Totals{1, 100}));
  EXPECT_EQ(story.ledger().live(MemoryKind::kHeap).bytes, 0u) << "nothing of it is in memory any more";
}

TEST(MemoryLedger, AChildThatEndsKeepsOnlyWhatItAllocatedItself) {
  Story story;
  story.alloc(0x1000, 100).map(0x10000, kPage).fork(0, 1);
  story.alloc(0x3000, 7, kStackB, kOtherThread, 1).exit(1);
  EXPECT_EQ(story.live(1), (Totals{1, 7}));
  EXPECT_EQ(story.live(1, MemoryKind::kMapping), (Totals{0, 0}));
  EXPECT_EQ(story.live(0), (Totals{1, 100}));
}

TEST(MemoryLedger, TheNumberOfBlocksIsBoundedAndTheRestIsCounted) {
  Story story({.max_blocks = 2});
  story.alloc(0x1000, 1).alloc(0x2000, 1).alloc(0x3000, 1).map(0x10000, kPage);
  EXPECT_EQ(story.live(), (Totals{2, 2}));
  story.fork(0, 1);
  EXPECT_EQ(story.surprises().refused_blocks, 4u);
  story.free(0x1000).alloc(0x4000, 5);
  EXPECT_EQ(story.live(), (Totals{2, 6}));
}

TEST(MemoryLedger, LifetimesAreToldByPowersOfTwo) {
  Story story;
  story.alloc(0x1000, 100);
  story.wait((1 << 20) - 1'000'000);
  story.free(0x1000);  // lived 2^20 ns
  story.alloc(0x2000, 60);
  story.wait(1ull << 40);
  story.free(0x2000);
  MemoryTick tick = story.take_tick();
  ASSERT_EQ(tick.lifetimes.size(), 2u);
  EXPECT_EQ(tick.lifetimes[0], (LifetimeRow{0, 20, 1, 100}));
  EXPECT_EQ(tick.lifetimes[1], (LifetimeRow{0, 40, 1, 60}));
}

TEST(MemoryLedger, ATickHoldsOnlyWhatChangedSinceTheLast) {
  Story story;
  story.alloc(0x1000, 100, kStackA).take_tick();
  MemoryTick tick = story.alloc(0x2000, 50, kStackB).take_tick();
  ASSERT_EQ(tick.rows.size(), 1u);
  EXPECT_EQ(story.ledger().series()[tick.rows[0].series].stack, kStackB);
  EXPECT_EQ(tick.rows[0].alloc_bytes, 50u);
  EXPECT_EQ(tick.events, 1u);
}

TEST(MemoryLedger, ThePeakIsToldByStackAsItWasAtThatMoment) {
  Story story;
  story.alloc(0x1000, 100, kStackA).alloc(0x2000, 1000, kStackB);
  std::uint64_t peak_ns = story.now();  // A 100, B 1000
  story.free(0x2000).alloc(0x3000, 300, kStackA);
  MemoryTick tick = story.take_tick();  // now A 400, B 0
  ASSERT_EQ(tick.rows.size(), 2u);
  EXPECT_EQ(tick.rows[0].peak_bytes, 100 - 400);
  EXPECT_EQ(tick.rows[0].peak_blocks, 1 - 2);
  EXPECT_EQ(tick.rows[1].peak_bytes, 1000 - 0);
  ASSERT_EQ(tick.peaks.size(), 1u);
  EXPECT_EQ(tick.peaks[0], (PeakRow{0, MemoryKind::kHeap, peak_ns, 1100}));
}

TEST(MemoryLedger, WhenMemoryOnlyShrinksThePeakIsTheTicksStart) {
  Story story;
  story.alloc(0x1000, 100).alloc(0x2000, 50).take_tick();
  std::uint64_t start = story.now();
  MemoryTick tick = story.free(0x1000).take_tick();
  ASSERT_EQ(tick.peaks.size(), 1u);
  EXPECT_EQ(tick.peaks[0], (PeakRow{0, MemoryKind::kHeap, start, 150}));
  EXPECT_EQ(tick.rows[0].peak_bytes, 100);
}

}  // namespace
}  // namespace dwell
