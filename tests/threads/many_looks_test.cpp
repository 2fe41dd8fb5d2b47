// SPDX-License-Identifier: Apache-2.0
// Looks at a program that locks as hard as it can: whatever moment they meet, it is no deadlock.
#include <csignal>

#include "tests/targets/stuck_threads.h"
#include "tests/threads/threads_harness.h"
#include "userspace/threads/observer.h"
#include "userspace/threads/verdicts.h"

namespace dwell::testing {
namespace {

TEST(ManyLooks, AtAProgramThatLocksHardFindNoDeadlock) {
  DWELL_NEEDS_BPF();
  constexpr int kLooks = 10'000;
  StuckThreads target("locks_hard", "stuck_locks");
  TemporaryFolder folder;
  Result<RecordingWriter> writer = RecordingWriter::create(folder.file("looks.dwell"), {});
  ASSERT_TRUE(writer) << writer.error().what;
  Result<ThreadObserver> observer = ThreadObserver::open(target.pid(), *writer);
  ASSERT_TRUE(observer) << observer.error().what;
  int with_owners = 0;
  for (int i = 0; i < kLooks; ++i) {
    Result<ThreadLook> look = observer->look();
    ASSERT_TRUE(look) << look.error().what;
    for (const LockFacts& lock : look->locks) with_owners += lock.owner_state == OwnerState::kThread;
    for (const Verdict& verdict : find_verdicts(*look, {.stuck_after_ns = 10'000'000'000}))
      EXPECT_FALSE(verdict.stuck_for_good()) << "look " << i << ": " << verdict.headline;
  }
  EXPECT_GT(with_owners, kLooks / 100) << "the looks met waiting threads";
}

// Threads that end while they are looked at, or have only begun.
TEST(ManyLooks, AtThreadsThatComeAndGo) {
  DWELL_NEEDS_BPF();
  StuckThreads target("churn");
  TemporaryFolder folder;
  Result<RecordingWriter> writer = RecordingWriter::create(folder.file("looks.dwell"), {});
  ASSERT_TRUE(writer) << writer.error().what;
  Result<ThreadObserver> observer = ThreadObserver::open(target.pid(), *writer);
  ASSERT_TRUE(observer) << observer.error().what;
  std::size_t most = 0;
  for (int i = 0; i < 1000; ++i) {
    Result<ThreadLook> look = observer->look();
    ASSERT_TRUE(look) << look.error().what;
    most = std::max(most, look->threads.size());
    for (const Verdict& verdict : find_verdicts(*look, {.stuck_after_ns = 10'000'000'000}))
      EXPECT_FALSE(verdict.stuck_for_good()) << "look " << i << ": " << verdict.headline;
  }
  EXPECT_GT(most, std::size_t{CHURNING} + 1);
}

TEST(ManyLooks, EndWithTheProcess) {
  DWELL_NEEDS_BPF();
  StuckThreads target("idle_pool");
  TemporaryFolder folder;
  Result<RecordingWriter> writer = RecordingWriter::create(folder.file("looks.dwell"), {});
  Result<ThreadObserver> observer = ThreadObserver::open(target.pid(), *writer);
  ASSERT_TRUE(observer) << observer.error().what;
  target.program().signal(SIGKILL);
  target.program().wait();
  Result<ThreadLook> look = observer->look();
  ASSERT_FALSE(look);
  EXPECT_EQ(look.error().exit, Exit::kNoTarget);
}

}  // namespace
}  // namespace dwell::testing
