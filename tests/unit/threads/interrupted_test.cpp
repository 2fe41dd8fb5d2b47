// SPDX-License-Identifier: Apache-2.0
// Threads that wait in a signal's handler.
#include "userspace/threads/interrupted.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "symbolizer/symbolizer.h"
#include "userspace/threads/handled_signals.h"
#include "userspace/threads/report.h"

namespace dwell {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kSecond = 1'000'000'000;
const std::string kHandler(kSignalFrame);

std::vector<ReportFrame> frames(const std::vector<std::string>& functions) {
  std::vector<ReportFrame> stack;
  for (const std::string& function : functions) {
    ReportFrame frame;
    frame.function = function;
    stack.push_back(frame);
  }
  return stack;
}

const std::vector<std::string> kAllocatesInHandler = {
    "__lll_lock_wait_private", "_int_malloc", "malloc", "log_it", kHandler, "_int_free", "free", "work", "start_thread"};

// A thread that waits for a lock that names nobody, and whatever others there are.
struct Look {
  ThreadReport report;

  Look() {
    LockFacts lock;
    lock.kind = WaitKind::kMutex;
    lock.words = "lock inside the C library at 0x10";
    report.locks = {lock};
  }
  ThreadFacts& add(const std::vector<std::string>& stack, WaitKind wait, std::int32_t lock = -1) {
    ThreadFacts facts;
    facts.tid = static_cast<Tid>(report.threads.size() + 1);
    facts.name = "t" + std::to_string(facts.tid);
    facts.wait = wait;
    facts.lock = lock;
    facts.waits_for = lock < 0 ? "something" : report.locks[0].words;
    report.groups.push_back({{report.threads.size()}, {frames(stack), ""}, {}});
    report.threads.push_back({facts, kSecond / 10, report.groups.size() - 1});
    return report.threads.back().facts;
  }
  std::vector<Verdict> verdicts() const { return find_verdicts(report, {}); }
};

TEST(Interrupted, AllocatingInTheMiddleOfAnAllocationIsACertainSelfDeadlock) {
  Look look;
  look.add(kAllocatesInHandler, WaitKind::kMutex, 0);
  look.add({"poll", "main"}, WaitKind::kPoll);
  std::vector<Verdict> verdicts = look.verdicts();
  ASSERT_EQ(verdicts.size(), 1u);
  EXPECT_EQ(verdicts[0].kind, VerdictKind::kDeadlock);
  EXPECT_EQ(verdicts[0].certainty, Certainty::kCertain);
  EXPECT_TRUE(verdicts[0].stuck_for_good());
  EXPECT_THAT(verdicts[0].headline, HasSubstr("t1 (1) waits for itself: a signal's handler needs the allocator"));
}

TEST(Interrupted, WhoWaitsForTheSameLockIsBehindIt) {
  Look look;
  look.add(kAllocatesInHandler, WaitKind::kMutex, 0);
  look.add({"__lll_lock_wait_private", "malloc", "other"}, WaitKind::kMutex, 0);
  std::vector<Verdict> verdicts = look.verdicts();
  ASSERT_EQ(verdicts.size(), 1u);
  EXPECT_EQ(verdicts[0].certainty, Certainty::kCertain);
  EXPECT_THAT(verdicts[0].evidence.back(), HasSubstr("1 thread more waits behind it"));
}

TEST(Interrupted, WhereAnotherThreadMayHaveTheLockItIsNotCertain) {
  for (const std::vector<std::string>& other : {std::vector<std::string>{"futex_wait", "_int_malloc", "malloc"},
                                                {"clone", "__libc_fork", "main"}}) {
    Look look;
    look.add(kAllocatesInHandler, WaitKind::kMutex, 0);
    look.add(other, WaitKind::kOther);
    EXPECT_TRUE(look.verdicts().empty());
    look.report.threads[0].waiting_ns = 2 * kSecond;
    ASSERT_EQ(look.verdicts().size(), 1u);
    EXPECT_EQ(look.verdicts()[0].certainty, Certainty::kLikely);
    EXPECT_FALSE(look.verdicts()[0].stuck_for_good());
  }
  Look running;
  running.add(kAllocatesInHandler, WaitKind::kMutex, 0);
  running.add({}, WaitKind::kNone).state = ThreadState::kRunning;
  EXPECT_TRUE(running.verdicts().empty()) << "it may be inside the allocator";
}

TEST(Interrupted, AHandlerThatInterruptedSomethingElseIsNoDeadlock) {
  Look look;
  look.add({"__lll_lock_wait_private", "malloc", "log_it", kHandler, "compute", "start_thread"}, WaitKind::kMutex, 0);
  look.add({"poll", "main"}, WaitKind::kPoll);
  for (const Verdict& verdict : look.verdicts()) EXPECT_FALSE(verdict.is_trouble()) << verdict.headline;
  Look plain;
  plain.add({"__lll_lock_wait_private", "_int_malloc", "malloc", "work"}, WaitKind::kMutex, 0);
  plain.add({"poll", "main"}, WaitKind::kPoll);
  EXPECT_TRUE(plain.verdicts().empty()) << "no signal interrupted it";
}

TEST(Interrupted, TheAllocatorIsKnownByItsInnerFunctionsToo) {
  for (const char* inside : {"malloc", "__libc_malloc", "__GI___libc_free", "_int_free", "_int_realloc", "sysmalloc",
                             "_int_free.part.0", "malloc_consolidate"})
    EXPECT_TRUE(is_inside_allocator(inside)) << inside;
  for (const char* outside : {"my_malloc", "malloc_stats_printer", "freeze", "operator new"})
    EXPECT_FALSE(is_inside_allocator(outside)) << outside;
}

TEST(HandledSignals, ThoseThatNobodyLetsThroughOrThatErrorsRaiseDontCount) {
  auto bit = [](int signal) { return std::uint64_t{1} << (signal - 1); };
  std::uint64_t handled = bit(SIGTERM) | bit(SIGALRM) | bit(SIGSEGV) | bit(32) | bit(33);
  EXPECT_EQ(that_may_come(handled, 0), bit(SIGTERM) | bit(SIGALRM));
  EXPECT_EQ(that_may_come(handled, bit(SIGTERM)), bit(SIGALRM));
  EXPECT_EQ(that_may_come(bit(SIGSEGV) | bit(32), 0), 0u);
  EXPECT_EQ(signal_names(bit(SIGTERM) | bit(SIGALRM)), "SIGALRM, SIGTERM");
  EXPECT_EQ(signal_names(0), "no signal");
  EXPECT_THAT(signal_names(~std::uint64_t{0}), HasSubstr("SIGHUP, SIGINT, SIGQUIT, SIGILL and 60 more signals"));
  EXPECT_EQ(signal_mask("SigBlk:\t0000000000000000\nSigCgt:\t0000000180004002\n", "SigCgt"), 0x180004002u);
  EXPECT_EQ(signal_mask("", "SigCgt"), 0u);
}

}  // namespace
}  // namespace dwell
