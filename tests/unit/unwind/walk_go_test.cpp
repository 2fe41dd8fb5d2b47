// SPDX-License-Identifier: Apache-2.0
// Walks from C to Go and back: from the thread's stack to the goroutine's, which lies lower, and through callbacks.
#include <gmock/gmock.h>

#include "tests/unit/unwind/walk_fixture.h"

namespace dwell {
namespace {

using testing::ElementsAre;

constexpr std::uint64_t kGoroutineStack = 0x100000, kGoroutine = 0x180000;  // both below the thread's stack
constexpr std::uint64_t kPlaceOfGoroutine = 48, kPlaceOfDepth = 40;
enum Function { kC, kAsmcgocall, kGo, kCgocallback, kCrosscall2, kGoexit, kSystemstack };

class GoWalkTest : public WalkTest {
 protected:
  void SetUp() override {
    WalkTest::SetUp();
    elsewhere_ = kGoroutineStack;
    elsewhere_size_ = kModule + 0x1000 - kGoroutineStack;
    use_asmcgocall(0);
    put(kGoroutine, kGoroutineStack);
    put(kGoroutine + 8, kGoroutineStack + 0x4000);
  }

  // As its version of Go pushes rbp or not.
  void use_asmcgocall(int pushes) {
    __s32 places = kPlaceOfGoroutine << 16 | kPlaceOfDepth << 8 | pushes;
    functions({sp_rule(16),
               {places, 0x20, DWELL_CFA_GOROUTINE, DWELL_BP_SAME},
               sp_rule(24, -16),
               {static_cast<__s32>(in(kCrosscall2) - in(kCgocallback)), 0, DWELL_CFA_CALLED_BY_C, DWELL_BP_SAME},
               sp_rule(32, -16),
               kEnd,
               {192 << 8 | pushes, 0x20, DWELL_CFA_SYSTEM_STACK, DWELL_BP_SAME}});
  }

  // A call of `function` in front of that return address, as its bytes are.
  void call_before(std::uint64_t pc, std::uint64_t function) {
    std::uint64_t relative = static_cast<std::uint32_t>(function - pc);
    put(pc - 8, relative << 32 | 0xe8000000u);
  }

  // asmcgocall at sp: it left the goroutine's stack at `old`.
  void switch_at(std::uint64_t sp, std::uint64_t old) {
    put(sp + kPlaceOfGoroutine, kGoroutine);
    put(sp + kPlaceOfDepth, kGoroutineStack + 0x4000 - old);
  }

  // C calls its allocator; Go called C: kC, kAsmcgocall, kGo, kGoexit.
  void one_switch(std::uint64_t old = kGoroutineStack + 0x3000) {
    put(kStack + 8, in(kAsmcgocall));
    switch_at(kStack + 16, old);
    put(old, in(kGo));
    call_before(in(kGo), kModule + 0x100);
    put(old + 8 + 8, 0);
    put(old + 8 + 16, in(kGoexit));
  }
};

TEST_F(GoWalkTest, GoesOnOnTheGoroutinesStackWhichLiesLower) {
  one_switch();
  RemoteStack stack = walk_from(in(kC), kStack);
  EXPECT_EQ(stack.end, DWELL_STACK_COMPLETE);
  EXPECT_THAT(pcs(stack), ElementsAre(in(kC), in(kAsmcgocall), in(kGo), in(kGoexit)));
}

TEST_F(GoWalkTest, WhereAsmcgocallPushesTheFramePointer) {
  use_asmcgocall(1);
  one_switch();
  std::uint64_t old = kGoroutineStack + 0x3000;
  put(old, old + 0x40);
  put(old + 8, in(kGo));
  put(old + 16 + 16, in(kGoexit));
  EXPECT_THAT(pcs(walk_from(in(kC), kStack)), ElementsAre(in(kC), in(kAsmcgocall), in(kGo), in(kGoexit)));
}

TEST_F(GoWalkTest, NoFrameIsBelievedThatDoesNotFit) {
  auto is_cut = [&](const char* why) {
    RemoteStack stack = walk_from(in(kC), kStack);
    EXPECT_NE(stack.end, DWELL_STACK_COMPLETE) << why;
    EXPECT_THAT(pcs(stack), ElementsAre(in(kC), in(kAsmcgocall))) << why;
  };
  one_switch();
  call_before(in(kGo), kModule + 0x108);
  is_cut("the call there is that of another function");
  one_switch();
  put(in(kGo) - 8, 0);
  is_cut("there is no call");
  one_switch();
  put(kStack + 16 + kPlaceOfGoroutine, 0x10);
  is_cut("the goroutine cannot be read");
  one_switch(kGoroutineStack + 0x3004);
  is_cut("a stack pointer is aligned");
  one_switch();
  put(kStack + 16 + kPlaceOfDepth, 0x5000);
  is_cut("deeper than the stack is large");
  one_switch();
  put(kStack + 16 + kPlaceOfDepth, 0);
  is_cut("the stack's upper end is not in it");
}

// Go calls C, C calls Go, Go calls C:
//
//     kC kAsmcgocall │ kGo kCgocallback │ kCrosscall2 kC kAsmcgocall │ kGo kGoexit
class CallbackTest : public GoWalkTest {
 protected:
  static constexpr std::uint64_t kInner = kGoroutineStack + 0x2000, kOuter = kGoroutineStack + 0x3000;
  static constexpr std::uint64_t kCallback = kStack + 0x200;  // where cgocallback on the thread's stack saved rbp

  void SetUp() override {
    GoWalkTest::SetUp();
    one_switch(kOuter);
    put(kStack + 8, in(kAsmcgocall));
    switch_at(kStack + 16, kInner);
    put(kInner, in(kGo));
    put(kInner + 8 + 8, kCallback);  // rbp, which Go's frame keeps at cfa - 16
    put(kInner + 8 + 16, in(kCgocallback));
    put(kCallback, kStack + 0x220);
    put(kCallback + 8, in(kCrosscall2));
    put(kCallback + 16 + 16, 0x77);  // what crosscall2 saved
    put(kCallback + 16 + 24, in(kC, 0x40));
    put(kCallback + 16 + 32 + 8, in(kAsmcgocall));
    switch_at(kCallback + 16 + 32 + 16, kOuter);
  }
  std::vector<std::uint64_t> walked() { return pcs(walk_from(in(kC), kStack)); }
};

TEST_F(CallbackTest, LeadsBackToCAndOnToGo) {
  EXPECT_THAT(walked(), ElementsAre(in(kC), in(kAsmcgocall), in(kGo), in(kCgocallback), in(kCrosscall2), in(kC, 0x40),
                                    in(kAsmcgocall), in(kGo), in(kGoexit)));
  EXPECT_EQ(walk_from(in(kC), kStack).end, DWELL_STACK_COMPLETE);
}

TEST_F(CallbackTest, AThreadThatCMadeEndsWhereItBegan) {
  put(kCallback + 16 + 24, in(kGoexit));
  EXPECT_THAT(walked(), ElementsAre(in(kC), in(kAsmcgocall), in(kGo), in(kCgocallback), in(kCrosscall2), in(kGoexit)));
}

TEST_F(CallbackTest, OnlyToTheCallInCrosscall2) {
  put(kCallback + 8, in(kCrosscall2, 0x28));
  EXPECT_THAT(walked(), ElementsAre(in(kC), in(kAsmcgocall), in(kGo), in(kCgocallback)));
  EXPECT_EQ(walk_from(in(kC), kStack).end, DWELL_STACK_NO_RULE);
  put(kInner + 8 + 8, kCallback + 4);
  EXPECT_THAT(walked(), ElementsAre(in(kC), in(kAsmcgocall), in(kGo), in(kCgocallback)));
}

TEST_F(CallbackTest, NeverInCircles) {
  put(kInner + 8 + 8, kStack + 0x100);  // below where the walk went over to the goroutine: no, above; the switch there leads back
  put(kStack + 0x100, 0);
  put(kStack + 0x108, in(kCrosscall2));
  put(kStack + 0x110 + 24, in(kC, 0x40));
  put(kStack + 0x110 + 32 + 8, in(kAsmcgocall));
  switch_at(kStack + 0x110 + 32 + 16, kInner);
  RemoteStack stack = walk_from(in(kC), kStack);
  EXPECT_EQ(stack.end, DWELL_STACK_NOT_GROWING);
  EXPECT_THAT(pcs(stack), ElementsAre(in(kC), in(kAsmcgocall), in(kGo), in(kCgocallback), in(kCrosscall2), in(kC, 0x40), in(kAsmcgocall)));
}

// What was pushed there is an address in front of which no call stands: only the full table tells of it.
TEST_F(GoWalkTest, WhatTheRuntimeInterruptedIsLookedUpExactly) {
  functions({sp_rule(16), {16, 0, DWELL_CFA_SP_INJECTED, DWELL_BP_SAME}, kEnd});
  put(kStack + 8, in(1));
  put(kStack + 24, in(2, 0));
  RemoteStack stack = walk_from(in(0), kStack);
  EXPECT_EQ(stack.end, DWELL_STACK_ASYNC);
  with_full_rows();
  stack = walk_from(in(0), kStack);
  EXPECT_EQ(stack.end, DWELL_STACK_COMPLETE);
  EXPECT_THAT(pcs(stack), ElementsAre(in(0), in(1), in(2, 0)));
  EXPECT_TRUE(stack.frames[2].exact);
}

TEST_F(GoWalkTest, FromTheSchedulersStackByTheThreadsGoroutine) {
  constexpr std::uint64_t kThread = 0x181000, kSchedulers = 0x182000, kPointer = 0x183000;
  std::uint64_t old = kGoroutineStack + 0x3000;
  thread_pointer_ = kPointer;
  put(kStack + 8, in(kSystemstack));
  put(kPointer - 8, kSchedulers);
  put(kSchedulers + 48, kThread);
  put(kThread + 192, kGoroutine);
  put(kGoroutine + 56, old);
  put(old, in(kGo));
  call_before(in(kGo), kModule + kSystemstack * 0x100);
  put(old + 8 + 16, in(kGoexit));
  EXPECT_THAT(pcs(walk_from(in(kC), kStack)), ElementsAre(in(kC), in(kSystemstack), in(kGo), in(kGoexit)));
  put(kGoroutine + 56, 0);  // nothing saved
  EXPECT_THAT(pcs(walk_from(in(kC), kStack)), ElementsAre(in(kC), in(kSystemstack)));
  thread_pointer_ = 0;
  EXPECT_EQ(walk_from(in(kC), kStack).end, DWELL_STACK_READ_FAILED);
}

}  // namespace
}  // namespace dwell
