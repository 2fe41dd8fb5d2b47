// SPDX-License-Identifier: Apache-2.0
// Locks, their owners, and what is concluded from them.
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <sys/ipc.h>
#include <sys/sem.h>

#include "tests/targets/stuck_locks.h"
#include "tests/threads/threads_harness.h"

namespace dwell::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

constexpr int kFound = 8;

std::vector<json> verdicts_of(const json& report, const std::string& kind) {
  std::vector<json> found;
  for (const json& verdict : report["verdicts"])
    if (verdict["kind"] == kind) found.push_back(verdict);
  return found;
}

std::vector<std::string> names_in(const json& report, const json& verdict) {
  std::vector<std::string> names;
  for (const json& thread : verdict["threads"])
    names.push_back(report["threads"][thread.get<std::size_t>()]["name"]);
  return names;
}

std::string words_of_lock(const json& report, const json& thread) {
  EXPECT_FALSE(thread["lock"].is_null()) << thread;
  return thread["lock"].is_null()
             ? ""
             : report["locks"][thread["lock"].get<std::size_t>()]["words"].get<std::string>();
}

// The one thread of that name that owns what `waiter` waits for.
void expect_owner(const json& report, const json& waiter, const std::string& owner) {
  const json& lock = report["locks"][waiter["lock"].get<std::size_t>()];
  EXPECT_EQ(lock["owner_state"], "thread") << lock;
  EXPECT_EQ(lock["owner"], threads_named(report, owner)[0]["tid"]) << lock;
}

// A circle of threads, in order, and the lock that each wants.
void expect_deadlock(const std::string& program, const std::string& scenario,
                     const std::vector<std::pair<std::string, std::string>>& circle) {
  StuckThreads target(scenario, program);
  LookedAt look = look_at(target.pid());
  EXPECT_EQ(look.exit, kFound);
  std::vector<json> deadlocks = verdicts_of(look.report, "deadlock");
  ASSERT_EQ(deadlocks.size(), 1u) << look.report["verdicts"];
  EXPECT_EQ(deadlocks[0]["certainty"], "certain");
  EXPECT_EQ(deadlocks[0]["stuck_for_good"], true);
  std::vector<std::string> names = names_in(look.report, deadlocks[0]);
  ASSERT_EQ(names.size(), circle.size());
  std::size_t begin = static_cast<std::size_t>(std::ranges::find(names, circle[0].first) - names.begin());
  ASSERT_LT(begin, names.size()) << deadlocks[0];
  for (std::size_t i = 0; i < circle.size(); ++i) {
    std::size_t at = (begin + i) % circle.size();
    EXPECT_EQ(names[at], circle[i].first);
    const json& thread = look.report["threads"][deadlocks[0]["threads"][at].get<std::size_t>()];
    EXPECT_EQ(words_of_lock(look.report, thread), circle[i].second);
    EXPECT_EQ(thread["lock"], deadlocks[0]["locks"][at]);
  }
}

TEST(Deadlock, OfTwo) {
  DWELL_NEEDS_BPF();
  expect_deadlock("stuck_locks", "ab_ba", {{"one", "mutex second"}, {"two", "mutex first"}});
}

TEST(Deadlock, OfTwoInAStaticProgram) {
  DWELL_NEEDS_BPF();
  expect_deadlock("stuck_locks_static", "ab_ba", {{"one", "mutex second"}, {"two", "mutex first"}});
}

// The locks name their owners by the numbers of the process's own namespace.
TEST(Deadlock, InAnotherPidNamespace) {
  DWELL_NEEDS_BPF();
  Program inside(
      {"unshare", "--pid", "--fork", "--mount-proc", "--kill-child", target_binary("stuck_locks"), "ab_ba"});
  ASSERT_TRUE(inside.wait_for_output("ready")) << inside.errors();
  Finished children = run({"pgrep", "-P", std::to_string(inside.pid())});
  LookedAt look = look_at(std::atoi(children.output.c_str()));
  EXPECT_EQ(look.exit, kFound);
  ASSERT_EQ(verdicts_of(look.report, "deadlock").size(), 1u);
  EXPECT_NE(threads_named(look.report, "one")[0]["tid"], threads_named(look.report, "one")[0]["own_tid"]);
}

TEST(Deadlock, OfThree) {
  DWELL_NEEDS_BPF();
  expect_deadlock("stuck_locks", "three_cycle",
                  {{"one", "mutex second"}, {"two", "mutex third"}, {"three", "mutex first"}});
}

TEST(Deadlock, OfEveryKindOfMutex) {
  DWELL_NEEDS_BPF();
  expect_deadlock("stuck_locks", "kinds",
                  {{"one", "mutex second (error-checking, robust)"},
                   {"two", "mutex third (adaptive, priority-inheriting)"},
                   {"three", "mutex first (recursive)"}});
}

TEST(Deadlock, OfOneWithItself) {
  DWELL_NEEDS_BPF();
  expect_deadlock("stuck_locks", "itself", {{"one", "mutex first"}});
}

TEST(Deadlock, OfAJoinAndAMutex) {
  DWELL_NEEDS_BPF();
  StuckThreads target("join_circle", "stuck_locks");
  LookedAt look = look_at(target.pid());
  EXPECT_EQ(look.exit, kFound);
  std::vector<json> deadlocks = verdicts_of(look.report, "deadlock");
  ASSERT_EQ(deadlocks.size(), 1u);
  EXPECT_THAT(names_in(look.report, deadlocks[0]), ::testing::UnorderedElementsAre("joined", "joiner"));
  EXPECT_EQ(threads_named(look.report, "joiner")[0]["wait"], "join");
  expect_owner(look.report, threads_named(look.report, "joiner")[0], "joined");
  expect_owner(look.report, threads_named(look.report, "joined")[0], "joiner");
}

TEST(Deadlock, OfAWriterAndAReader) {
  DWELL_NEEDS_BPF();
  expect_deadlock("stuck_locks", "writer_circle", {{"writer", "mutex first"}, {"reader", "rwlock table"}});
}

TEST(Deadlock, OfCxxMutexes) {
  DWELL_NEEDS_BPF();
  expect_deadlock(
      "stuck_cxx_locks", "ab_ba",
      {{"one", "mutex (anonymous namespace)::customers"}, {"two", "mutex (anonymous namespace)::orders"}});
}

TEST(Deadlock, CountsThoseBehindIt) {
  DWELL_NEEDS_BPF();
  StuckThreads target("itself_with_waiters", "stuck_locks");
  LookedAt look = look_at(target.pid());
  std::vector<json> deadlocks = verdicts_of(look.report, "deadlock");
  ASSERT_EQ(deadlocks.size(), 1u);
  EXPECT_THAT(deadlocks[0]["evidence"].dump(), HasSubstr("2 threads more wait behind it"));
  EXPECT_EQ(look.report["verdicts"].size(), 1u);
}

// An rwlock that is held to read does not say by whom: that is told as possible, and never as certain.
TEST(Deadlock, OfAReaderThatIsNotNamedIsOnlyPossible) {
  DWELL_NEEDS_BPF();
  StuckThreads target("reader_circle", "stuck_locks");
  LookedAt look;
  ASSERT_TRUE(eventually([&] {
    look = look_at(target.pid(), {"--stuck-after", "100ms"});
    return !verdicts_of(look.report, "deadlock").empty();
  }));
  EXPECT_EQ(look.exit, 0);
  json deadlock = verdicts_of(look.report, "deadlock")[0];
  EXPECT_EQ(deadlock["certainty"], "possible");
  EXPECT_THAT(names_in(look.report, deadlock), ::testing::ElementsAre("writer", "reader"));
  EXPECT_EQ(words_of_lock(look.report, threads_named(look.report, "writer")[0]),
            "rwlock table (held by 1 reader, which it doesn't name)");
}

TEST(OwnerGone, BecauseItEnded) {
  DWELL_NEEDS_BPF();
  StuckThreads target("owner_ended", "stuck_locks");
  LookedAt look = look_at(target.pid());
  EXPECT_EQ(look.exit, kFound);
  std::vector<json> gone = verdicts_of(look.report, "owner gone");
  ASSERT_EQ(gone.size(), 1u) << look.report["verdicts"];
  EXPECT_EQ(names_in(look.report, gone[0]), (std::vector<std::string>{"waiter"}));
  EXPECT_EQ(look.report["locks"][0]["owner_state"], "gone");
  EXPECT_THAT(gone[0]["headline"].get<std::string>(), HasSubstr("which has ended"));
}

TEST(OwnerGone, BecauseItStayedBehindWhenTheProcessWasForked) {
  DWELL_NEEDS_BPF();
  StuckThreads target("forked_locked", "stuck_locks");
  int child = 0;
  ASSERT_EQ(std::sscanf(target.output().c_str(), "child %d", &child), 1);
  LookedAt look;
  ASSERT_TRUE(eventually([&] {
    look = look_at(child);
    return !verdicts_of(look.report, "owner gone").empty();
  }));
  EXPECT_EQ(look.exit, kFound);
  EXPECT_THAT(verdicts_of(look.report, "owner gone")[0]["headline"].get<std::string>(),
              HasSubstr(fmt::format("of the parent process {}: it was locked when the process was forked",
                                    target.pid())));
}

TEST(Stalled, WhenNobodyIsLeftWhoCouldSignal) {
  DWELL_NEEDS_BPF();
  StuckThreads target("never_signalled", "stuck_locks");
  LookedAt look;
  ASSERT_TRUE(eventually([&] {
    look = look_at(target.pid());
    return !verdicts_of(look.report, "stalled").empty();
  }));
  EXPECT_EQ(look.exit, kFound);
  json stalled = verdicts_of(look.report, "stalled")[0];
  EXPECT_EQ(stalled["threads"].size(), 2u);
  EXPECT_EQ(words_of_lock(look.report, threads_named(look.report, "waiter")[0]), "condition variable filled");
}

TEST(Stalled, IsOnlyPossibleWhereAHandlerMayWakeIt) {
  DWELL_NEEDS_BPF();
  StuckThreads target("handler_posts", "stuck_locks");
  ASSERT_TRUE(eventually([&] {
    return threads_named(look_at(target.pid()).report, "stuck_locks")[0]["wait"] == "semaphore";
  }));
  LookedAt early = look_at(target.pid());
  EXPECT_EQ(early.exit, 0);
  EXPECT_EQ(early.report["verdicts"].size(), 0u) << early.report["verdicts"];
  LookedAt late = look_at(target.pid(), {"--stuck-after", "1ms"});
  EXPECT_EQ(late.exit, 0);
  ASSERT_EQ(verdicts_of(late.report, "stalled").size(), 1u) << late.report["verdicts"];
  json stalled = verdicts_of(late.report, "stalled")[0];
  EXPECT_EQ(stalled["certainty"], "possible");
  EXPECT_EQ(stalled["stuck_for_good"], false);
  EXPECT_THAT(stalled["evidence"].dump(), HasSubstr("it handles SIGALRM"));
}

// Any process may raise it.
TEST(Stalled, IsNobodyWhoWaitsForASystemVSemaphore) {
  DWELL_NEEDS_BPF();
  StuckThreads target("system_v", "stuck_locks");
  struct Removed {  // it outlives its processes
    int id = -1;
    ~Removed() { ::semctl(id, 0, IPC_RMID); }
  } semaphore;
  ASSERT_EQ(std::sscanf(target.output().c_str(), "semaphore %d", &semaphore.id), 1) << target.output();
  ASSERT_TRUE(eventually([&] {
    return threads_named(look_at(target.pid()).report, "stuck_locks")[0]["wait"] == "semaphore";
  }));
  LookedAt look = look_at(target.pid(), {"--stuck-after", "1ms"});
  EXPECT_EQ(look.exit, 0);
  EXPECT_EQ(look.report["verdicts"].size(), 0u) << look.report["verdicts"];
}

TEST(SignalHandler, ThatAllocatesInTheMiddleOfAnAllocationIsASelfDeadlock) {
  DWELL_NEEDS_BPF();
  StuckThreads target("handler_allocates", "stuck_locks");
  LookedAt look = look_at(target.pid());
  EXPECT_EQ(look.exit, kFound);
  std::vector<json> deadlocks = verdicts_of(look.report, "deadlock");
  ASSERT_EQ(deadlocks.size(), 1u) << look.report["verdicts"];
  EXPECT_EQ(deadlocks[0]["certainty"], "certain");
  EXPECT_EQ(names_in(look.report, deadlocks[0]), (std::vector<std::string>{"allocating"}));
  EXPECT_THAT(deadlocks[0]["headline"].get<std::string>(), HasSubstr("a signal's handler needs the allocator"));
  const json thread = threads_named(look.report, "allocating")[0];
  std::vector<std::string> functions = functions_of(look.report, thread);
  auto handler = std::ranges::find(functions, "allocate_in_handler");
  ASSERT_NE(handler, functions.end()) << json(functions);
  ASSERT_NE(handler + 1, functions.end());
  EXPECT_EQ(handler[1], "<signal handler called>") << json(functions);
  EXPECT_EQ(std::ranges::count(functions, "allocate_for_ever"), 1) << json(functions);
}

TEST(Locks, EachKindIsToldByItsObject) {
  DWELL_NEEDS_BPF();
  StuckThreads target("every_kind", "stuck_locks");
  LookedAt look = look_at(target.pid());
  EXPECT_EQ(look.exit, 0) << look.report["verdicts"];
  auto expect = [&](const std::string& thread, const std::string& wait, const std::string& words) {
    std::vector<json> waiting = threads_named(look.report, thread);
    ASSERT_FALSE(waiting.empty()) << thread;
    EXPECT_EQ(waiting[0]["wait"], wait) << thread;
    EXPECT_EQ(words_of_lock(look.report, waiting[0]), words) << thread;
  };
  expect("in_sem", "semaphore", "semaphore tokens (value 0, 1 waiting)");
  expect("in_barrier", "barrier",
         fmt::format("barrier meeting ({} of {} have come)", BARRIER_COME, BARRIER_COUNT));
  expect("behind_once", "once", "pthread_once prepared");
  expect("in_write", "rwlock",
         fmt::format("rwlock table (held by {} readers, which it doesn't name)", READERS));
  expect("in_cond", "condition", "condition variable filled");
  expect("in_mutex", "mutex", "mutex first");
  expect_owner(look.report, threads_named(look.report, "in_mutex")[0], "holder");
  expect_owner(look.report, threads_named(look.report, "in_stream")[0], "streaming");
  expect_owner(look.report, threads_named(look.report, "in_join")[0], "in_mutex");
  EXPECT_THAT(words_of_lock(look.report, threads_named(look.report, "in_stream")[0]),
              HasSubstr("lock of a stream"));
}

TEST(Locks, ThoseOfCxxToo) {
  DWELL_NEEDS_BPF();
  StuckThreads target("every_kind", "stuck_cxx_locks");
  LookedAt look = look_at(target.pid());
  auto words = [&](const std::string& thread) {
    return words_of_lock(look.report, threads_named(look.report, thread)[0]);
  };
  EXPECT_EQ(words("in_shared"), "rwlock (anonymous namespace)::prices");
  expect_owner(look.report, threads_named(look.report, "in_shared")[0], "holder");
  EXPECT_EQ(words("in_cond"), "condition variable (anonymous namespace)::arrived");
  EXPECT_EQ(words("in_once"), "pthread_once (anonymous namespace)::opened");
  EXPECT_THAT(words("in_static"), HasSubstr("initialization of a static variable"));
  EXPECT_EQ(words("in_atomic"), "atomic, or what is built on it (anonymous namespace)::permit");
}

TEST(Locks, WhoHoldsAnRwlockToWriteIsNamed) {
  DWELL_NEEDS_BPF();
  StuckThreads target("held_to_write", "stuck_locks");
  LookedAt look = look_at(target.pid());
  EXPECT_EQ(threads_named(look.report, "in_read")[0]["waits_for"], "rwlock table, to read");
  EXPECT_EQ(threads_named(look.report, "in_write")[0]["waits_for"], "rwlock table, to write");
  expect_owner(look.report, threads_named(look.report, "in_read")[0], "holder");
  expect_owner(look.report, threads_named(look.report, "in_write")[0], "holder");
}

TEST(Convoy, TellsWhatItsHolderDoes) {
  DWELL_NEEDS_BPF();
  StuckThreads target("convoy", "stuck_locks");
  LookedAt look;
  ASSERT_TRUE(eventually([&] {
    look = look_at(target.pid());
    return !verdicts_of(look.report, "convoy").empty();
  }));
  EXPECT_EQ(look.exit, 0);
  json convoy = verdicts_of(look.report, "convoy")[0];
  EXPECT_EQ(convoy["threads"].size(), std::size_t{CONVOY_WAITERS});
  EXPECT_THAT(convoy["headline"].get<std::string>(),
              HasSubstr("4 threads wait for mutex first, held by holder ("));
  EXPECT_THAT(convoy["evidence"].dump(), HasSubstr("for any signal"));
}

TEST(Negatives, CirclesThatEndByThemselvesAreNotStuckForGood) {
  DWELL_NEEDS_BPF();
  StuckThreads target("timed_circle", "stuck_locks");
  LookedAt look = look_at(target.pid(), {"--stuck-after", "1ms"});
  EXPECT_EQ(look.exit, 0);
  for (const json& verdict : look.report["verdicts"]) EXPECT_EQ(verdict["stuck_for_good"], false) << verdict;
  EXPECT_EQ(threads_named(look.report, "one")[0]["timed"], true);
}

TEST(Negatives, AnIdlePoolIsNoTroubleHoweverLongItWaits) {
  DWELL_NEEDS_BPF();
  StuckThreads target("idle_pool");
  LookedAt look = look_at(target.pid(), {"--stuck-after", "1ms"});
  EXPECT_EQ(look.exit, 0);
  ASSERT_EQ(look.report["verdicts"].size(), 1u) << look.report["verdicts"];
  EXPECT_EQ(look.report["verdicts"][0]["kind"], "idle pool");
}

// Each with a condition of its own, as thread pools have it.
TEST(Negatives, WorkersThatWaitToBeToldAreIdleHoweverLong) {
  DWELL_NEEDS_BPF();
  StuckThreads target("own_conditions", "stuck_locks");
  LookedAt look = look_at(target.pid(), {"--stuck-after", "1ms"});
  EXPECT_EQ(look.exit, 0);
  std::vector<json> workers = threads_named(look.report, "worker");
  ASSERT_EQ(workers.size(), std::size_t{WORKERS});
  for (const json& worker : workers) EXPECT_EQ(worker["group"], workers[0]["group"]) << "equal stacks are one group";
  ASSERT_EQ(look.report["verdicts"].size(), 2u) << look.report["verdicts"];
  ASSERT_EQ(verdicts_of(look.report, "idle pool").size(), 1u);
  EXPECT_EQ(verdicts_of(look.report, "idle pool")[0]["threads"].size(), std::size_t{WORKERS});
  ASSERT_EQ(verdicts_of(look.report, "idle").size(), 1u);
  EXPECT_EQ(names_in(look.report, verdicts_of(look.report, "idle")[0]), (std::vector<std::string>{"cleaner"}));
}

TEST(Negatives, WaitsForTheOutsideAreNoTrouble) {
  DWELL_NEEDS_BPF();
  StuckThreads target("waits");
  LookedAt look = look_at(target.pid(), {"--stuck-after", "1ms"});
  EXPECT_EQ(look.exit, 0);
  EXPECT_EQ(look.report["verdicts"].size(), 0u) << look.report["verdicts"];
}

// What is built on an atomic may be no lock: no more than possible.
TEST(Deadlock, OfAtomicsTakenInOppositeOrderIsPossible) {
  DWELL_NEEDS_BPF();
  StuckThreads target("atomic_ab_ba", "stuck_cxx_locks");
  json deadlock;
  ASSERT_TRUE(eventually([&] {
    std::vector<json> found = verdicts_of(look_at(target.pid(), {"--stuck-after", "1s"}).report, "deadlock");
    if (!found.empty()) deadlock = found[0];
    return !found.empty();
  }));
  EXPECT_EQ(deadlock["certainty"], "possible");
  EXPECT_EQ(deadlock["threads"].size(), 2u);
  EXPECT_THAT(deadlock.dump(), HasSubstr("whose address is in its frame of"));
}

// Told once they have slept long enough; with the frames whose code locks it to read.
void expect_upgrade(const std::string& program, const std::string& lock, const std::string& function) {
  StuckThreads target("upgrade", program);
  json report, deadlock;
  ASSERT_TRUE(eventually([&] {
    report = look_at(target.pid()).report;
    std::vector<json> found = verdicts_of(report, "deadlock");
    if (!found.empty()) deadlock = found[0];
    return !found.empty();
  })) << report["verdicts"];
  EXPECT_EQ(deadlock["certainty"], "likely");
  EXPECT_EQ(deadlock["stuck_for_good"], false);
  EXPECT_THAT(names_in(report, deadlock), ::testing::UnorderedElementsAre("one", "two"));
  EXPECT_THAT(deadlock["headline"].get<std::string>(), HasSubstr("wait to write what each of them likely holds to read: " + lock));
  EXPECT_THAT(deadlock.dump(), HasSubstr("its frame of " + function + " locks it to read"));
  const json& held = report["locks"][deadlock["locks"][0].get<std::size_t>()];
  EXPECT_EQ(held["readers"], 2);
  EXPECT_EQ(held["upgrading"].size(), 2u);
}

TEST(Upgrade, OfTwoReadersIsALikelyDeadlock) {
  DWELL_NEEDS_BPF();
  expect_upgrade("stuck_locks", "rwlock table", "read_then_write");
}

TEST(Upgrade, OfCxxSharedLocksIsALikelyDeadlock) {
  DWELL_NEEDS_BPF();
  expect_upgrade("stuck_cxx_locks", "rwlock (anonymous namespace)::prices", "(anonymous namespace)::read_then_write");
}

// They wait behind somebody who reads.
TEST(Upgrade, IsNoneOfThoseWhoReadBeforeOrElsewhere) {
  DWELL_NEEDS_BPF();
  StuckThreads target("no_upgrade", "stuck_locks");
  json report;
  ASSERT_TRUE(eventually([&] {
    report = look_at(target.pid()).report;
    return threads_named(report, "looked")[0]["waiting_ns"].get<std::uint64_t>() > 3'200'000'000;
  }));
  EXPECT_TRUE(verdicts_of(report, "deadlock").empty()) << report["verdicts"];
  for (const json& lock : report["locks"]) EXPECT_TRUE(lock["upgrading"].empty()) << lock;
}

// Its frames have the address of what lies on its stack, held or not.
TEST(Locks, ThatLieOnAThreadsOwnStackAreNotHeldByItForThat) {
  DWELL_NEEDS_BPF();
  StuckThreads target("atomic_on_stack", "stuck_cxx_locks");
  json waiting;
  ASSERT_TRUE(eventually([&] {
    json report = look_at(target.pid()).report;
    for (const json& thread : report["threads"])
      if (thread["waits_for"].get<std::string>().starts_with("atomic, or what is built on it")) waiting = report["locks"][thread["lock"].get<std::size_t>()];
    return !waiting.is_null();
  })) << look_at(target.pid()).report;
  EXPECT_TRUE(waiting["likely_holders"].empty()) << waiting;
}

}  // namespace
}  // namespace dwell::testing
