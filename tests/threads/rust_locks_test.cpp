// SPDX-License-Identifier: Apache-2.0
// Locks of Rust, which name no owner: who holds them is told as likely, with what shows it; and never where nobody is stuck.
#include <gmock/gmock.h>

#include <cstdlib>

#include "tests/threads/threads_harness.h"
#include "userspace/threads/observer.h"
#include "userspace/threads/verdicts.h"

namespace dwell::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

json deadlock_in(const json& report) {
  for (const json& verdict : report["verdicts"])
    if (verdict["kind"] == "deadlock") return verdict;
  return nullptr;
}

// Looks until the threads have slept long enough to be told. `evidence`: what is told of the lock, and where.
void expect_likely_deadlock(const std::string& scenario, const std::vector<std::string>& names, const std::string& evidence, const std::string& lock) {
  DWELL_NEEDS_BPF();
  StuckThreads target(scenario, "stuck_rust_locks");
  json report, verdict;
  ASSERT_TRUE(eventually([&] {
    report = look_at(target.pid()).report;
    verdict = deadlock_in(report);
    return !verdict.is_null();
  })) << report["verdicts"] << report["locks"];
  EXPECT_EQ(verdict["certainty"], "likely");
  EXPECT_EQ(verdict["stuck_for_good"], false);
  ASSERT_EQ(verdict["threads"].size(), names.size());
  for (const json& thread : verdict["threads"]) EXPECT_THAT(names, ::testing::Contains(report["threads"][thread.get<std::size_t>()]["name"]));
  EXPECT_THAT(verdict.dump(), HasSubstr(evidence));
  EXPECT_THAT(verdict.dump(), HasSubstr(lock));
}

TEST(RustLocks, TakenInOppositeOrderAreALikelyDeadlock) { expect_likely_deadlock("ab_ba", {"one", "two"}, "whose address is in its frame of stuck_rust_locks::transfer", "Rust Mutex"); }

TEST(RustLocks, AReaderAndAWriterAreALikelyDeadlock) { expect_likely_deadlock("reader_writer", {"reader", "writer"}, "whose address is in its frame of stuck_rust_locks::lock_then_write", "Rust RwLock"); }

TEST(RustLocks, TwoReadersThatWantToWriteAreALikelyDeadlock) {
  expect_likely_deadlock("upgrade", {"one", "two"}, "its frame of stuck_rust_locks::raise locks it to read on every way to where it waits", "Rust RwLock");
}

TEST(RustLocks, ThatAreTakenHardAreNone) {
  DWELL_NEEDS_BPF();
  constexpr int kLooks = 2000;  // scripts/prove-rust-locks does more
  StuckThreads target("locks_hard", "stuck_rust_locks");
  TemporaryFolder folder;
  Result<RecordingWriter> writer = RecordingWriter::create(folder.file("looks.dwell"), {});
  ASSERT_TRUE(writer) << writer.error().what;
  Result<ThreadObserver> observer = ThreadObserver::open(target.pid(), *writer);
  ASSERT_TRUE(observer) << observer.error().what;
  const char* wanted = std::getenv("DWELL_LOOKS");
  int looks = wanted ? std::atoi(wanted) : kLooks, with_holders = 0;
  for (int i = 0; i < looks; ++i) {
    Result<ThreadLook> look = observer->look();
    ASSERT_TRUE(look) << look.error().what;
    for (const LockFacts& lock : look->locks) with_holders += !lock.likely.empty();
    for (const Verdict& verdict : find_verdicts(*look, {.stuck_after_ns = 10'000'000'000}))
      EXPECT_NE(verdict.kind, VerdictKind::kDeadlock) << "look " << i << ": " << verdict.headline;
  }
  EXPECT_GT(with_holders, looks / 100) << "the looks met threads that wait, and those that hold what they wait for";
}

}  // namespace
}  // namespace dwell::testing
