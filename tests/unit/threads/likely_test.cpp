// SPDX-License-Identifier: Apache-2.0
// Circles through locks that name no owner: told as likely, as possible, or not at all.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "userspace/threads/look.h"
#include "userspace/threads/verdicts.h"

namespace dwell {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kNow = 1'000'000'000'000, kSec = 1'000'000'000;

// Threads 11 and 12 wait for the locks 0 and 1, of which each is likely held by the other.
ThreadLook crossed(std::uint64_t slept_ns) {
  ThreadLook look;
  look.time_ns = kNow;
  for (std::int32_t i = 0; i < 2; ++i) {
    ThreadFacts thread;
    thread.tid = thread.own_tid = static_cast<Tid>(11 + i);
    thread.name = i ? "two" : "one";
    thread.wait = WaitKind::kMutex;
    thread.waits_for = "Rust Mutex";
    thread.lock = i;
    thread.since_ns = kNow - slept_ns;
    look.threads.push_back(thread);
    LockFacts lock;
    lock.address = 0x1000 + static_cast<std::uint64_t>(i);
    lock.kind = WaitKind::kMutex;
    lock.words = "Rust Mutex at 0x100" + std::to_string(i);
    lock.likely = {{static_cast<Tid>(12 - i), "transfer"}};
    look.locks.push_back(lock);
  }
  ThreadFacts idle;
  idle.tid = idle.own_tid = 20;
  idle.wait = WaitKind::kInput;
  idle.since_ns = kNow - kSec;
  look.threads.push_back(idle);
  return look;
}

std::vector<Verdict> deadlocks_of(const ThreadLook& look, std::uint64_t stuck_after_ns = 60 * kSec) {
  std::vector<Verdict> verdicts = find_verdicts(look, {.stuck_after_ns = stuck_after_ns});
  std::erase_if(verdicts, [](const Verdict& verdict) { return verdict.kind != VerdictKind::kDeadlock; });
  return verdicts;
}

TEST(LikelyDeadlock, OfThreadsThatSleepAndHaveEachOthersLock) {
  std::vector<Verdict> found = deadlocks_of(crossed(4 * kSec));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].certainty, Certainty::kLikely);
  EXPECT_FALSE(found[0].stuck_for_good());
  EXPECT_EQ(found[0].threads, (std::vector<std::size_t>{0, 1}));
  EXPECT_THAT(found[0].evidence[0], HasSubstr("one (11) likely holds Rust Mutex at 0x1001, whose address is in its frame of transfer"));
}

TEST(LikelyDeadlock, IsNoneWhileTheyRan) {
  EXPECT_TRUE(deadlocks_of(crossed(2 * kSec)).empty());
  ThreadLook look = crossed(4 * kSec);
  look.threads[1].moved = true;
  EXPECT_TRUE(deadlocks_of(look).empty());
}

TEST(LikelyDeadlock, IsNoneWhereAWaitEndsByItselfOrALockIsShared) {
  ThreadLook timed = crossed(4 * kSec), shared = crossed(4 * kSec);
  timed.threads[0].timed = true;
  shared.locks[1].shared = true;
  EXPECT_TRUE(deadlocks_of(timed).empty());
  EXPECT_TRUE(deadlocks_of(shared).empty());
}

// A third thread knows a lock too, and may hold it.
TEST(LikelyDeadlock, IsPossibleAtMostWhereOthersMayHoldALock) {
  ThreadLook look = crossed(4 * kSec);
  look.locks[0].likely.push_back({20, "keeps"});
  EXPECT_TRUE(deadlocks_of(look).empty());
  std::vector<Verdict> found = deadlocks_of(look, 2 * kSec);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].certainty, Certainty::kPossible);
}

TEST(LikelyDeadlock, IsPossibleAtMostOfAtomics) {
  ThreadLook look = crossed(4 * kSec);
  for (ThreadFacts& thread : look.threads)
    if (thread.lock >= 0) thread.wait = WaitKind::kFutex;
  EXPECT_TRUE(deadlocks_of(look).empty());
  EXPECT_EQ(deadlocks_of(look, kSec).at(0).certainty, Certainty::kPossible);
}

// Two threads wait to write a lock that they have to read, and a third waits for the same lock.
ThreadLook upgrading(std::uint32_t readers) {
  ThreadLook look = crossed(4 * kSec);
  look.locks.resize(1);
  look.locks[0].likely.clear();
  look.locks[0].kind = WaitKind::kReadWriteLock;
  look.locks[0].words = "rwlock prices";
  look.locks[0].readers = readers;
  look.locks[0].upgrading = {{11, "raise"}, {12, ""}};
  for (std::size_t i : {0, 1, 2}) {
    look.threads[i].lock = 0;
    look.threads[i].wait = WaitKind::kReadWriteLock;
    look.threads[i].since_ns = kNow - 4 * kSec;
  }
  ThreadFacts outside = look.threads[2];
  outside.tid = outside.own_tid = 30;
  outside.lock = -1;
  outside.wait = WaitKind::kInput;
  look.threads.push_back(outside);
  return look;
}

TEST(LikelyDeadlock, OfThoseWhoWaitToWriteWhatTheyHaveToRead) {
  std::vector<Verdict> found = deadlocks_of(upgrading(2));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].certainty, Certainty::kLikely);
  EXPECT_EQ(found[0].headline, "2 threads wait to write what each of them likely holds to read: rwlock prices");
  EXPECT_THAT(found[0].evidence[0], HasSubstr("its frame of raise locks it to read"));
  EXPECT_EQ(found[0].evidence.back(), "1 more waits for the same lock");
  EXPECT_EQ(deadlocks_of(upgrading(1)).at(0).certainty, Certainty::kPossible) << "one reads, and may be neither";
  EXPECT_TRUE(deadlocks_of(upgrading(0)).empty()) << "nobody has it any more";
}

// What is likely does not hide what is certain.
TEST(LikelyDeadlock, IsToldBesideThatNobodyIsLeft) {
  ThreadLook look = upgrading(2);
  look.threads.pop_back();
  look.handled_signals = 0;
  std::vector<Verdict> all = find_verdicts(look, {});
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].kind, VerdictKind::kDeadlock);
  EXPECT_EQ(all[1].kind, VerdictKind::kStalled);
  EXPECT_TRUE(all[1].stuck_for_good());
  EXPECT_EQ(all[1].threads.size(), 3u);
}

// One of the locks names its owner.
TEST(LikelyDeadlock, MayLeadThroughALockThatNamesItsOwner) {
  ThreadLook look = crossed(4 * kSec);
  look.locks[0].likely.clear();
  look.locks[0].owner_state = OwnerState::kThread;
  look.locks[0].owner = 12;
  look.locks[0].owner_words = "two (12)";
  std::vector<Verdict> found = deadlocks_of(look);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].certainty, Certainty::kLikely);
}

}  // namespace
}  // namespace dwell
