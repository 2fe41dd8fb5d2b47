// SPDX-License-Identifier: Apache-2.0
// Looks at a program that locks as hard as it can: whatever moment they meet, it is no deadlock.
#include <sys/mman.h>

#include "tests/threads/threads_harness.h"
#include "userspace/threads/observer.h"
#include "userspace/views/thread_verdicts.h"

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

}  // namespace
}  // namespace dwell::testing
