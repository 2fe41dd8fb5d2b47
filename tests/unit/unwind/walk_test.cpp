// SPDX-License-Identifier: Apache-2.0
// The walk that the BPF programs do, over stacks that are made up word by word.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/unwind/walk_fixture.h"

namespace dwell {
namespace {

using testing::ElementsAre;

TEST_F(WalkTest, FollowsTheStackPointerToTheEnd) {
  functions({sp_rule(16), sp_rule(32), kEnd});
  put(kStack + 8, in(1));   // cfa = sp + 16: return address at sp + 8
  put(kStack + 40, in(2));  // cfa = kStack + 16 + 32
  RemoteStack stack = walk_from(in(0), kStack);
  EXPECT_EQ(stack.end, DWELL_STACK_COMPLETE);
  EXPECT_THAT(pcs(stack), ElementsAre(in(0), in(1), in(2)));
}

TEST_F(WalkTest, RestoresTheFramePointerOfTheCaller) {
  UnwindRule by_bp = {16, -16, DWELL_CFA_BP, DWELL_BP_AT_CFA};
  functions({sp_rule(24, -24), by_bp, kEnd});
  put(kStack, kStack + 0x100);  // rbp of the caller, at cfa - 24
  put(kStack + 16, in(1));
  put(kStack + 0x100, 0x1234);
  put(kStack + 0x108, in(2));
  RemoteStack stack = walk_from(in(0), kStack, 0xdead);
  EXPECT_EQ(stack.end, DWELL_STACK_COMPLETE);
  EXPECT_THAT(pcs(stack), ElementsAre(in(0), in(1), in(2)));
}

TEST_F(WalkTest, LooksAReturnAddressUpInTheCall) {
  // The call is the last instruction of function 0: the return address is the first byte of function 1.
  functions({sp_rule(16), sp_rule(1000), kEnd});
  put(kStack + 8, in(2));
  RemoteStack stack = walk_from(in(1, 0), kStack);
  EXPECT_THAT(pcs(stack), ElementsAre(in(1, 0), in(2)));
}

TEST_F(WalkTest, AFrameLargerThanTheWindow) {
  functions({sp_rule(0x2000), sp_rule(16), kEnd});
  put(kStack + 0x2000 - 8, in(1));
  put(kStack + 0x2000 + 8, in(2));
  RemoteStack stack = walk_from(in(0), kStack);
  EXPECT_EQ(stack.end, DWELL_STACK_COMPLETE);
  EXPECT_EQ(stack.frames.size(), 3u);
}

TEST_F(WalkTest, ReadsUpToTheLastWordOfTheStack) {
  stack_size_ = 0x1000;
  functions({sp_rule(16), kEnd});
  put(kStack + 0xff8, in(1));
  RemoteStack stack = walk_from(in(0), kStack + 0xff0);
  EXPECT_EQ(stack.end, DWELL_STACK_COMPLETE);
  EXPECT_THAT(pcs(stack), ElementsAre(in(0), in(1)));
}

TEST_F(WalkTest, SaysThatMemoryCannotBeRead) {
  functions({sp_rule(16)});
  EXPECT_EQ(walk_from(in(0), kStack - 0x1000).end, DWELL_STACK_READ_FAILED);
}

TEST_F(WalkTest, StartsAtAFunctionsEntryWithoutATable) {
  functions({kEnd});
  put(kStack, in(0));
  dwell_stack_start start = {0x1, kStack, 0, DWELL_PC_EXACT | DWELL_PC_HIDDEN, 8, 0};
  RemoteStack stack = walk(start);
  EXPECT_EQ(stack.end, DWELL_STACK_COMPLETE);
  EXPECT_THAT(pcs(stack), ElementsAre(in(0)));
}

TEST_F(WalkTest, StartsInsideAPrologueAsTheProbeSays) {
  // push %rbp done: the frame is 16 above sp, and rbp was saved at cfa - 16.
  functions({{16, -16, DWELL_CFA_BP, DWELL_BP_AT_CFA}, kEnd});
  put(kStack, kStack + 0x40);
  put(kStack + 8, in(0));
  put(kStack + 0x48, in(1));
  dwell_stack_start start = {in(5), kStack, 0xdead, DWELL_PC_EXACT, 16, -16};
  RemoteStack stack = walk(start);
  EXPECT_THAT(pcs(stack), ElementsAre(in(5), in(0), in(1)));
  EXPECT_TRUE(stack.frames[0].exact);
  EXPECT_FALSE(stack.frames[1].exact);
}

TEST_F(WalkTest, RealignedFrame) {
  functions({{-8 * 256, 0, DWELL_CFA_DEREF_BP, DWELL_BP_AT_BP}, kEnd});
  std::uint64_t bp = kStack + 0x40, cfa = kStack + 0x100;
  put(bp - 8, cfa);
  put(bp, 0x5678);
  put(cfa - 8, in(1));
  RemoteStack stack = walk_from(in(0), kStack, bp);
  EXPECT_EQ(stack.end, DWELL_STACK_COMPLETE);
  EXPECT_THAT(pcs(stack), ElementsAre(in(0), in(1)));
}

TEST_F(WalkTest, PltEntryBeforeAndAfterItsPush) {
  with_full_rows();
  functions({{11, 0, DWELL_CFA_PLT, DWELL_BP_SAME}, kEnd});
  put(kStack, in(1));
  dwell_stack_start start = {in(0, 0x0), kStack, 0, DWELL_PC_EXACT, 0, 0};
  EXPECT_THAT(pcs(walk(start)), ElementsAre(in(0, 0), in(1)));
  put(kStack, 3);
  put(kStack + 8, in(1));
  start.pc = in(0, 0xb);
  EXPECT_THAT(pcs(walk(start)), ElementsAre(in(0, 0xb), in(1)));
}

class SignalTest : public WalkTest {
 protected:
  // Function 0 is the handler, 1 the return from a signal, 2 the interrupted leaf, 3 its caller.
  void SetUp() override {
    WalkTest::SetUp();
    functions({sp_rule(16), {0, 0, DWELL_CFA_SIGNAL, DWELL_BP_SAME}, sp_rule(8), kEnd});
    put(kStack + 8, in(1));
    std::uint64_t context = kStack + 16;
    put(context + 40 + 10 * 8, 0x77);             // rbp
    put(context + 40 + 15 * 8, kStack + 0x1000);  // rsp
    put(context + 40 + 16 * 8, in(2, 0));         // rip: the very first byte of the leaf
    put(kStack + 0x1000, in(3));
  }
};

TEST_F(SignalTest, NeedsTheFullTableBelowASignal) {
  RemoteStack stack = walk_from(in(0), kStack);
  EXPECT_EQ(stack.end, DWELL_STACK_ASYNC);
  EXPECT_THAT(pcs(stack), ElementsAre(in(0), in(1), in(2, 0)));
  EXPECT_TRUE(stack.frames[2].exact);
}

TEST_F(SignalTest, CrossesTheSignalWithTheFullTable) {
  with_full_rows();
  RemoteStack stack = walk_from(in(0), kStack);
  EXPECT_EQ(stack.end, DWELL_STACK_COMPLETE);
  EXPECT_THAT(pcs(stack), ElementsAre(in(0), in(1), in(2, 0), in(3)));
}

TEST_F(SignalTest, CrossesFromAHigherStackToALowerOne) {
  with_full_rows();
  put(kStack + 0x2008, in(1));
  for (int r : {10, 15, 16}) put(kStack + 0x2010 + 40 + r * 8, stack_[kStack + 16 + 40 + r * 8]);
  EXPECT_EQ(walk_from(in(0), kStack + 0x2000).end, DWELL_STACK_COMPLETE);
}

constexpr std::uint64_t kTrampoline = 0x7fffffffe000;

TEST_F(WalkTest, SeesThroughReturnProbes) {
  functions({sp_rule(16), sp_rule(16), kEnd});
  put(kStack + 8, kTrampoline);
  put(kStack + 24, kTrampoline);
  dwell_stack_start start = {in(0), kStack, 0, 0, 0, 0};
  RemoteStack stack = walk(start, kTrampoline, {{kStack + 8, in(1)}, {kStack + 24, in(2)}});
  EXPECT_EQ(stack.end, DWELL_STACK_COMPLETE);
  EXPECT_THAT(pcs(stack), ElementsAre(in(0), in(1), in(2)));
}

TEST_F(WalkTest, PassesOverReturnProbesThatALongjmpLeftAndTwoOnOneCall) {
  functions({sp_rule(16), kEnd});
  put(kStack + 8, kTrampoline);
  dwell_stack_start start = {in(0), kStack, 0, 0, 0, 0};
  RemoteStack stack =
      walk(start, kTrampoline, {{kStack - 64, in(9)}, {kStack + 8, kTrampoline}, {kStack + 8, in(1)}});
  EXPECT_THAT(pcs(stack), ElementsAre(in(0), in(1)));
}

TEST_F(WalkTest, ATrampolineThatNobodyOwnsIsNoMapping) {
  functions({sp_rule(16), kEnd});
  put(kStack + 8, kTrampoline);
  dwell_stack_start start = {in(0), kStack, 0, 0, 0, 0};
  EXPECT_EQ(walk(start, kTrampoline, {}).end, DWELL_STACK_NO_MAPPING);
}

TEST_F(WalkTest, GeneratedCodeByFramePointer) {
  functions({sp_rule(16), kEnd});
  put(kStack + 8, kJit + 0x10);  // native code called from generated code
  std::uint64_t bp = kStack + 0x80;
  put(bp, bp + 0x40);
  put(bp + 8, kJit + 0x20);
  put(bp + 0x40, 0);
  put(bp + 0x48, in(1));
  RemoteStack stack = walk_from(in(0), kStack, bp);
  EXPECT_EQ(stack.end, DWELL_STACK_COMPLETE);
  EXPECT_THAT(pcs(stack), ElementsAre(in(0), kJit + 0x10, kJit + 0x20, in(1)));
}

TEST_F(WalkTest, AFramePointerOfZeroIsTheOutermostFrame) {
  EXPECT_EQ(walk_from(kJit + 0x10, kStack, 0).end, DWELL_STACK_COMPLETE);
}

TEST_F(WalkTest, AFramePointerThatLeadsNowhere) {
  EXPECT_EQ(walk_from(kJit + 0x10, kStack, kStack - 8).end, DWELL_STACK_NO_RULE);  // below the stack pointer
  EXPECT_EQ(walk_from(kJit + 0x10, kStack, kStack + 3).end, DWELL_STACK_NO_RULE);  // unaligned
  put(kStack + 0x48, 0x1234);                                                      // no code
  RemoteStack stack = walk_from(kJit + 0x10, kStack, kStack + 0x40);
  EXPECT_EQ(stack.end, DWELL_STACK_NO_RULE);
  EXPECT_THAT(pcs(stack), ElementsAre(kJit + 0x10));  // what was found by guessing is not shown
}

// Code that came into being after the mappings were read: userspace has to look at them again.
TEST_F(WalkTest, AFramePointerThatLeadsToNewCode) {
  std::uint64_t fresh = kStack + 0x808;  // in memory that can be read, behind a call *%r10
  put(kStack + 0x800, 0xd2ff419090909090);
  put(kStack + 0x48, fresh);
  RemoteStack stack = walk_from(kJit + 0x10, kStack, kStack + 0x40);
  EXPECT_EQ(stack.end, DWELL_STACK_NO_MAPPING);
  EXPECT_THAT(pcs(stack), ElementsAre(kJit + 0x10, fresh));
  put(kStack + 0x800, 0xd2ff419090909090 ^ (0x30ull << 56));  // jmp *%r10 instead
  EXPECT_EQ(walk_from(kJit + 0x10, kStack, kStack + 0x40).end, DWELL_STACK_NO_RULE);
}

TEST_F(WalkTest, ALostFramePointerIsNotFollowed) {
  UnwindRule lost = sp_rule(16);
  lost.bp = DWELL_BP_LOST;
  functions({lost});
  put(kStack + 8, kJit + 0x10);
  EXPECT_EQ(walk_from(in(0), kStack, kStack + 0x80).end, DWELL_STACK_NO_RULE);
}

TEST_F(WalkTest, SaysWhyItEnds) {
  functions({sp_rule(16), {0, 0, DWELL_CFA_UNSUPPORTED, DWELL_BP_SAME}, sp_rule(-8)});
  put(kStack + 8, 0x10);
  EXPECT_EQ(walk_from(in(0), kStack).end, DWELL_STACK_NO_MAPPING);
  put(kStack + 8, kOther + 0x10);
  EXPECT_EQ(walk_from(in(0), kStack).end, DWELL_STACK_TABLE_PENDING);
  EXPECT_EQ(walk_from(in(1), kStack).end, DWELL_STACK_UNSUPPORTED);
  EXPECT_EQ(walk_from(in(2), kStack).end, DWELL_STACK_NOT_GROWING);
}

TEST_F(WalkTest, AReturnAddressOfZeroIsTheEnd) {
  functions({sp_rule(16)});
  put(kStack + 8, 0);
  RemoteStack stack = walk_from(in(0), kStack);
  EXPECT_EQ(stack.end, DWELL_STACK_COMPLETE);
  EXPECT_THAT(pcs(stack), ElementsAre(in(0)));
}

TEST_F(WalkTest, StopsAtTheMostFramesThereCanBe) {
  functions({sp_rule(16), kEnd});
  stack_size_ = 0x10000;
  for (int i = 0; i < 300; i++) put(kStack + 8 + i * 16, in(0, 0x10 + i % 0x7f));
  RemoteStack stack = walk_from(in(0), kStack);
  EXPECT_EQ(stack.end, DWELL_STACK_TOO_DEEP);
  EXPECT_EQ(stack.frames.size(), std::size_t{DWELL_MAX_FRAMES});
}

TEST_F(WalkTest, ExactlyTheMostFramesIsComplete) {
  functions({sp_rule(16), kEnd});
  stack_size_ = 0x10000;
  for (int i = 0; i < DWELL_MAX_FRAMES - 2; i++) put(kStack + 8 + i * 16, in(0, 0x10 + i % 0x7f));
  put(kStack + 8 + (DWELL_MAX_FRAMES - 2) * 16, in(1));
  RemoteStack stack = walk_from(in(0), kStack);
  EXPECT_EQ(stack.end, DWELL_STACK_COMPLETE);
  EXPECT_EQ(stack.frames.size(), std::size_t{DWELL_MAX_FRAMES});
}

// What called the recursion is kept, however deep it is, and its depth makes no further stack.
TEST_F(WalkTest, ADeepRecursionIsFolded) {
  functions({sp_rule(16), sp_rule(16), sp_rule(16), kEnd});
  stack_size_ = 0x40000;
  auto deep = [&](int turns, int handler) {
    int frame = 0;
    auto called_by = [&](std::uint64_t pc) { put(kStack + 8 + frame++ * 16, pc); };
    for (int i = 0; i < turns; i++) called_by(in(0)), called_by(in(1));
    called_by(in(2, handler));
    called_by(in(3));
    return walk_from(in(0), kStack);
  };
  RemoteStack stack = deep(1000, 0x30);
  EXPECT_EQ(stack.end, DWELL_STACK_FOLDED);
  ASSERT_GT(stack.frames.size(), 100u);
  ASSERT_LT(stack.frames.size(), std::size_t{DWELL_MAX_FRAMES});
  EXPECT_EQ(stack.frames[stack.frames.size() - 2].pc, in(2, 0x30));
  EXPECT_EQ(stack.frames.back().pc, in(3));
  EXPECT_EQ(pcs(deep(2000, 0x30)), pcs(stack)) << "the same recursion, deeper";
  EXPECT_NE(pcs(deep(1000, 0x40)), pcs(stack)) << "another one called it";
  EXPECT_EQ(deep(20, 0x30).end, DWELL_STACK_COMPLETE) << "nothing is left out where there is room";
}

TEST_F(WalkTest, AnEndlessRecursionEndsTheWalk) {
  functions({sp_rule(16), kEnd});
  stack_size_ = 0x80000;
  for (int i = 0; i < 0x7fff; i++) put(kStack + 8 + i * 16, in(0));
  EXPECT_EQ(walk_from(in(0), kStack).end, DWELL_STACK_TOO_DEEP);
}

}  // namespace
}  // namespace dwell
