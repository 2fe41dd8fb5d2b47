// SPDX-License-Identifier: Apache-2.0
// From who waits for whom to what is wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "userspace/threads/look.h"
#include "userspace/threads/verdicts.h"

namespace dwell {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kNow = 1'000 * kSecond;

// Threads 1, 2, 3, ... and what each waits for.
struct Threads {
  ThreadLook look;

  Threads() { look.time_ns = kNow; }

  std::int32_t lock(WaitKind kind, OwnerState state = OwnerState::kUnnamed, Tid owner = 0) {
    LockFacts facts;
    facts.kind = kind;
    facts.words = "lock " + std::to_string(look.locks.size());
    facts.owner_state = state;
    facts.owner = owner;
    facts.owner_words = "thread " + std::to_string(owner);
    look.locks.push_back(facts);
    return static_cast<std::int32_t>(look.locks.size() - 1);
  }
  std::int32_t mutex_of(Tid owner) { return lock(WaitKind::kMutex, OwnerState::kThread, owner); }

  ThreadFacts& add(WaitKind wait, std::int32_t lock = -1, std::uint64_t seconds = 5) {
    ThreadFacts facts;
    facts.tid = static_cast<Tid>(look.threads.size() + 1);
    facts.name = "t" + std::to_string(facts.tid);
    facts.wait = wait;
    facts.lock = lock;
    facts.waits_for = lock < 0 ? "something" : look.locks[static_cast<std::size_t>(lock)].words;
    facts.since_ns = kNow - seconds * kSecond;
    facts.stack = static_cast<StackId>(facts.tid);
    if (wait == WaitKind::kNone) facts.state = ThreadState::kRunning;
    look.threads.push_back(facts);
    return look.threads.back();
  }
  ThreadFacts& waits(std::int32_t lock, std::uint64_t seconds = 5) {
    return add(look.locks[static_cast<std::size_t>(lock)].kind, lock, seconds);
  }
  void runs() { add(WaitKind::kNone); }

  std::vector<Verdict> verdicts() const { return find_verdicts(look, {}); }
};

TEST(Verdicts, ACircleIsADeadlockInTheOrderOfWaiting) {
  Threads threads;
  threads.waits(threads.mutex_of(3));
  threads.waits(threads.mutex_of(1));
  threads.waits(threads.mutex_of(2));
  threads.runs();
  std::vector<Verdict> verdicts = threads.verdicts();
  ASSERT_EQ(verdicts.size(), 1u);
  EXPECT_EQ(verdicts[0].kind, VerdictKind::kDeadlock);
  EXPECT_EQ(verdicts[0].certainty, Certainty::kCertain);
  EXPECT_THAT(verdicts[0].threads, ElementsAre(0, 2, 1));
  EXPECT_THAT(verdicts[0].locks, ElementsAre(0, 2, 1));
  EXPECT_EQ(verdicts[0].headline, "3 threads wait for each other");
  EXPECT_THAT(verdicts[0].evidence[0], HasSubstr("t1 (1) holds lock 1 and has waited 5.0 s for lock 0"));
}

TEST(Verdicts, TwoCirclesAreTwoDeadlocks) {
  Threads threads;
  threads.waits(threads.mutex_of(2));
  threads.waits(threads.mutex_of(1));
  threads.waits(threads.mutex_of(3));
  threads.runs();
  std::vector<Verdict> verdicts = threads.verdicts();
  ASSERT_EQ(verdicts.size(), 2u);
  EXPECT_THAT(verdicts[0].threads, ElementsAre(0, 1));
  EXPECT_THAT(verdicts[1].threads, ElementsAre(2));
  EXPECT_EQ(verdicts[1].headline, "t3 (3) waits for itself");
}

TEST(Verdicts, OneThatRanMeanwhileMakesNoDeadlock) {
  for (std::size_t moved = 0; moved < 2; ++moved) {
    Threads threads;
    threads.waits(threads.mutex_of(2));
    threads.waits(threads.mutex_of(1));
    threads.runs();
    threads.look.threads[moved].moved = true;
    EXPECT_TRUE(threads.verdicts().empty()) << moved;
  }
}

TEST(Verdicts, NeitherDoesOneThatIsReadyToRun) {
  Threads threads;
  threads.waits(threads.mutex_of(2));
  threads.waits(threads.mutex_of(1)).state = ThreadState::kReady;
  EXPECT_TRUE(threads.verdicts().empty());
}

TEST(Verdicts, ACircleWithATimeLimitIsNotForGood) {
  Threads threads;
  threads.waits(threads.mutex_of(2)).timed = true;
  threads.waits(threads.mutex_of(1));
  std::vector<Verdict> verdicts = threads.verdicts();
  ASSERT_FALSE(verdicts.empty());
  EXPECT_EQ(verdicts[0].kind, VerdictKind::kDeadlock);
  EXPECT_FALSE(verdicts[0].stuck_for_good());
}

TEST(Verdicts, ThoseBehindADeadlockAreCounted) {
  Threads threads;
  std::int32_t own = threads.mutex_of(1);
  threads.waits(own);
  threads.waits(own);
  threads.waits(threads.mutex_of(2));
  threads.runs();
  std::vector<Verdict> verdicts = threads.verdicts();
  ASSERT_EQ(verdicts.size(), 1u);
  EXPECT_THAT(verdicts[0].evidence.back(), HasSubstr("2 threads more wait behind it"));
}

TEST(Verdicts, AnOwnerThatIsGone) {
  Threads threads;
  threads.waits(threads.lock(WaitKind::kMutex, OwnerState::kGone, 99));
  threads.runs();
  std::vector<Verdict> verdicts = threads.verdicts();
  ASSERT_EQ(verdicts.size(), 1u);
  EXPECT_EQ(verdicts[0].kind, VerdictKind::kOwnerGone);
  EXPECT_TRUE(verdicts[0].stuck_for_good());
  threads.look.threads[0].moved = true;
  EXPECT_TRUE(threads.verdicts().empty()) << "it has got further";
}

TEST(Verdicts, AnOwnerInAnotherProcessThatSharesTheLockIsNone) {
  Threads threads;
  threads.waits(threads.lock(WaitKind::kMutex, OwnerState::kElsewhere, 99));
  threads.look.locks[0].shared = true;
  EXPECT_TRUE(threads.verdicts().empty());
}

TEST(Verdicts, StalledIsOnlyAProcessInWhichNobodyCanAct) {
  Threads threads;
  threads.waits(threads.lock(WaitKind::kCondition));
  threads.waits(threads.lock(WaitKind::kJoin, OwnerState::kThread, 1));
  threads.look.handled_signals = 0;
  ASSERT_EQ(threads.verdicts().size(), 1u);
  EXPECT_EQ(threads.verdicts()[0].kind, VerdictKind::kStalled);
  EXPECT_THAT(threads.verdicts()[0].threads, UnorderedElementsAre(0, 1));
  threads.look.threads[1].timed = true;
  EXPECT_TRUE(threads.verdicts().empty()) << "one that waits for a time can wake the other afterwards";
  threads.look.threads[1].timed = false;
  threads.add(WaitKind::kPoll);
  EXPECT_TRUE(threads.verdicts().empty()) << "so can one that waits for the outside";
  threads.look.threads.pop_back();
  threads.look.locks[0].shared = true;
  EXPECT_TRUE(threads.verdicts().empty()) << "and another process that shares the memory";
}

TEST(Verdicts, AStallIsProvedOnlyWhereNoHandlerMayEndIt) {
  Threads threads;
  threads.waits(threads.lock(WaitKind::kCondition), 61);
  threads.look.handled_signals = 0;
  ASSERT_EQ(threads.verdicts().size(), 1u);
  EXPECT_EQ(threads.verdicts()[0].certainty, Certainty::kCertain);
  EXPECT_TRUE(threads.verdicts()[0].stuck_for_good());
  EXPECT_THAT(threads.verdicts()[0].evidence.back(), HasSubstr("it handles no signal"));
  threads.look.handled_signals = 1u << (SIGTERM - 1);
  ASSERT_EQ(threads.verdicts().size(), 1u);
  EXPECT_EQ(threads.verdicts()[0].certainty, Certainty::kPossible);
  EXPECT_FALSE(threads.verdicts()[0].stuck_for_good());
  EXPECT_THAT(threads.verdicts()[0].evidence.back(), HasSubstr("it handles SIGTERM"));
  threads.look.handled_signals.reset();
  EXPECT_FALSE(threads.verdicts()[0].stuck_for_good()) << "an older recording does not say";
  threads.look.threads[0].since_ns = kNow - 5 * kSecond;
  EXPECT_TRUE(threads.verdicts().empty()) << "a process may wait for a signal";
}

TEST(Verdicts, TheThreadsOfTheGoRuntimeAreNotStalled) {
  Threads threads;
  threads.waits(threads.lock(WaitKind::kFutex), 600);
  threads.look.locks[0].words = "Go runtime 0xc000";
  threads.look.handled_signals = ~std::uint64_t{0};
  for (const Verdict& verdict : threads.verdicts()) EXPECT_FALSE(verdict.is_trouble()) << verdict.headline;
}

TEST(Verdicts, ASystemVSemaphoreIsRaisedByAnybody) {
  Threads threads;
  threads.add(WaitKind::kSemaphore, -1, 600);
  threads.look.handled_signals = 0;
  EXPECT_TRUE(threads.verdicts().empty());
}

TEST(Verdicts, ALockThatIsBusyIsNoConvoy) {
  Threads threads;
  threads.runs();
  std::int32_t mutex = threads.mutex_of(1);
  for (int i = 0; i < 8; ++i) threads.waits(mutex, 0);
  EXPECT_TRUE(threads.verdicts().empty());
}

// As redis does with its I/O threads.
TEST(Verdicts, WorkersBehindALockOfTheirOwnEachAreParked) {
  Threads threads;
  threads.add(WaitKind::kPoll, -1, 1);
  for (int i = 0; i < 3; ++i) threads.waits(threads.mutex_of(1), 600).stack = StackId{7};
  std::vector<Verdict> verdicts = threads.verdicts();
  ASSERT_EQ(verdicts.size(), 1u);
  EXPECT_EQ(verdicts[0].kind, VerdictKind::kIdlePool);
  EXPECT_EQ(verdicts[0].headline,
            "3 threads are parked at the same place: each waits for a lock of its own, held by t1 (1)");
  threads.look.threads[2].lock = threads.look.threads[1].lock;
  ASSERT_FALSE(threads.verdicts().empty());
  EXPECT_EQ(threads.verdicts()[0].kind, VerdictKind::kConvoy) << "two behind one lock";
}

TEST(Verdicts, AConvoyTellsTheWholeWayToWhoHoldsItUp) {
  Threads threads;
  threads.add(WaitKind::kInput, -1, 7);
  std::int32_t outer = threads.mutex_of(1), inner = threads.mutex_of(2);
  threads.waits(outer, 6);
  for (int i = 0; i < 3; ++i) threads.waits(inner, 5);
  std::vector<Verdict> verdicts = threads.verdicts();
  ASSERT_EQ(verdicts.size(), 1u) << "one waiter alone is none";
  EXPECT_EQ(verdicts[0].kind, VerdictKind::kConvoy);
  EXPECT_EQ(verdicts[0].threads.size(), 3u);
  EXPECT_THAT(verdicts[0].evidence,
              ElementsAre("t2 (2) has waited 6.0 s for lock 0", "t1 (1) has waited 7.0 s for something"));
  EXPECT_FALSE(verdicts[0].stuck_for_good());
}

TEST(Verdicts, LostIsWhatWaitsLongWithoutALimitAndWithoutAnOwner) {
  Threads threads;
  threads.runs();
  threads.waits(threads.lock(WaitKind::kMutex), 59);
  EXPECT_TRUE(threads.verdicts().empty());
  threads.waits(threads.lock(WaitKind::kMutex), 61);
  std::vector<Verdict> verdicts = threads.verdicts();
  ASSERT_EQ(verdicts.size(), 1u);
  EXPECT_EQ(verdicts[0].kind, VerdictKind::kLost);
  EXPECT_EQ(verdicts[0].certainty, Certainty::kPossible);
  EXPECT_THAT(verdicts[0].threads, ElementsAre(2));
}

// To wait for ever to be told of something is what a worker does that has nothing to do.
TEST(Verdicts, WhoWaitsToBeToldIsIdleAndNotLost) {
  Threads threads;
  threads.runs();
  threads.waits(threads.lock(WaitKind::kCondition), 600);
  threads.waits(threads.lock(WaitKind::kSemaphore), 61);
  threads.waits(threads.lock(WaitKind::kFutex), 59);
  std::vector<Verdict> verdicts = threads.verdicts();
  ASSERT_EQ(verdicts.size(), 1u);
  EXPECT_EQ(verdicts[0].kind, VerdictKind::kIdle);
  EXPECT_FALSE(verdicts[0].is_trouble());
  EXPECT_THAT(verdicts[0].threads, ElementsAre(1, 2));
  EXPECT_EQ(verdicts[0].headline,
            "2 threads wait to be told of something, the longest for 10 min 0 s; whether it is due can't be seen");
}

TEST(Verdicts, APoolIsOneAlsoWhereEachHasAConditionOfItsOwn) {
  Threads threads;
  threads.runs();
  for (int i = 0; i < 3; ++i) threads.waits(threads.lock(WaitKind::kCondition), 600).stack = StackId{7};
  std::vector<Verdict> verdicts = threads.verdicts();
  ASSERT_EQ(verdicts.size(), 1u);
  EXPECT_EQ(verdicts[0].kind, VerdictKind::kIdlePool);
  EXPECT_EQ(verdicts[0].headline, "3 threads wait for work at the same place: each on an object of its own");
  threads.look.threads[2].moved = true;
  EXPECT_NE(threads.verdicts()[0].threads.size(), 3u) << "one of them ran meanwhile";
}

TEST(Verdicts, WorkersAtOnePlaceAreAPoolAndNotLost) {
  Threads threads;
  threads.runs();
  std::int32_t queue = threads.lock(WaitKind::kCondition);
  for (int i = 0; i < 3; ++i) threads.waits(queue, 3600).stack = StackId{7};
  std::vector<Verdict> verdicts = threads.verdicts();
  ASSERT_EQ(verdicts.size(), 1u);
  EXPECT_EQ(verdicts[0].kind, VerdictKind::kIdlePool);
  EXPECT_EQ(verdicts[0].headline, "3 threads wait for work at the same place: lock 0");
}

// Whatever waits for whomever: no answer but an answer, and each thread is on one circle at most.
TEST(Verdicts, AnyGraphIsJudged) {
  std::uint32_t random = 1;
  for (int round = 0; round < 2000; ++round) {
    Threads threads;
    std::uint32_t count = 1 + round % 12;
    for (std::uint32_t i = 0; i < count; ++i) {
      random = random * 1103515245 + 12345;
      threads.waits(threads.mutex_of((random >> 16) % (count + 2)));
    }
    std::vector<int> circles(count);
    for (const Verdict& verdict : threads.verdicts())
      if (verdict.kind == VerdictKind::kDeadlock)
        for (std::size_t thread : verdict.threads) ++circles[thread];
    for (int times : circles) ASSERT_LE(times, 1);
  }
}

}  // namespace
}  // namespace dwell
