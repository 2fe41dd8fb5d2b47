// SPDX-License-Identifier: Apache-2.0
// Threads over time: who creates them, and what becomes of them.
#include <fmt/core.h>
#include <pthread.h>

#include <algorithm>

#include "tests/targets/stuck_locks.h"
#include "tests/targets/stuck_threads.h"
#include "tests/targets/thread_makers.h"
#include "tests/threads/threads_harness.h"

namespace dwell::testing {
namespace {

using nlohmann::json;

json site_of(const json& report, const std::string& function) {
  json found;
  for (const json& site : report["thread_sites"])
    for (const json& frame : site["stack"])
      if (frame["function"] == function) {
        EXPECT_TRUE(found.is_null()) << function << " is one site";
        EXPECT_TRUE(site["incomplete"].is_null()) << site["incomplete"];
        found = site;
      }
  EXPECT_FALSE(found.is_null()) << function << " is not among " << report["thread_sites"].size() << " sites";
  return found;
}

void expect_sites(const std::string& program) {
  Scenario scenario = record_scenario({target_binary(program)});
  expect_nothing_lost(scenario.report);
  auto expect = [&](const std::string& function, int created, int alive, int unjoined) {
    json site = site_of(scenario.report, function);
    if (site.is_null()) return;
    EXPECT_EQ(site["created"], created) << function;
    EXPECT_EQ(site["alive"], alive) << function;
    EXPECT_EQ(site["ended"], created - alive) << function;
    EXPECT_EQ(site["unjoined"], unjoined) << function;
    EXPECT_EQ(site["routine"]["function"], alive ? "stay" : "end_at_once") << function;
  };
  expect("make_joined", MADE_JOINED, 0, 0);
  expect("make_unjoined", MADE_UNJOINED, 0, MADE_UNJOINED);
  expect("make_detached", MADE_DETACHED, 0, 0);
  expect("make_detached_later", MADE_DETACHED_LATER, 0, 0);
  expect("make_alive", MADE_ALIVE, MADE_ALIVE, 0);
  EXPECT_EQ(scenario.report["thread_sites"].size(), 5u);
}

TEST(Recorded, ThreadsByTheSiteThatCreatedThem) {
  DWELL_NEEDS_BPF();
  expect_sites("thread_makers");
}

TEST(Recorded, InAStaticProgramToo) {
  DWELL_NEEDS_BPF();
  expect_sites("thread_makers_static");
}

TEST(Recorded, LooksNowAndThenTellSinceWhenSomethingIsStuck) {
  DWELL_NEEDS_BPF();
  StuckThreads target("ab_ba", "stuck_locks");
  TemporaryFolder folder;
  std::string file = folder.file("looks.dwell");
  Recording recording(target.pid(), file, {"--look-every", "200ms"});
  ASSERT_TRUE(recording.attached());
  ASSERT_TRUE(eventually([&] {
    json sofar = report(file);
    return sofar.contains("looks") && sofar["looks"].size() >= 3;
  }));
  EXPECT_EQ(recording.stop(), 0);
  json looks = report(file)["looks"];
  ASSERT_GE(looks.size(), 3u);
  for (const json& look : looks) {
    EXPECT_EQ(look["threads"], 3);
    EXPECT_EQ(look["stuck"], 2);
  }
  Finished folded = run({dwell_binary(), "export", file, "--view", "threads:look", "-f", "folded"});
  EXPECT_NE(folded.output.find("take_two"), std::string::npos) << folded.output;
  EXPECT_EQ(run({dwell_binary(), "export", file, "--view", "threads:created", "-f", "folded"}).exit, 0);
  Finished created = run({dwell_binary(), "report", file, "--view", "threads:created"});
  EXPECT_EQ(created.exit, 0) << created.errors;
  EXPECT_NE(created.output.find("threads by creating site of stuck_locks"), std::string::npos) << created.output;
  EXPECT_EQ(run({dwell_binary(), "report", file, "--view", "go:heap"}).exit, 2) << "this recording has no such view";
}

// No allocator is probed, no page of the report is about memory, and what is wrong is told at the end.
TEST(Recorded, ThreadsAloneWhereMemoryIsLeftOut) {
  DWELL_NEEDS_BPF();
  StuckThreads target("ab_ba", "stuck_locks");
  TemporaryFolder folder;
  std::string file = folder.file("threads.dwell");
  for (const std::vector<std::string>& options : {std::vector<std::string>{"--without", "memory"}, {"--only", "threads:look"}}) {
    std::vector<std::string> command = {dwell_binary(), "record", std::to_string(target.pid()), "-d", "300ms", "-o", file};
    command.insert(command.end(), options.begin(), options.end());
    Finished recorded = run(command);
    ASSERT_EQ(recorded.exit, 0) << recorded.errors;
    EXPECT_NE(recorded.output.find("Deadlock (certain)"), std::string::npos) << recorded.output;
    EXPECT_EQ(recorded.output.find("No memory was allocated"), std::string::npos) << recorded.output;
    json told = report(file);
    EXPECT_EQ(told["cost"]["probe_hits"], 0) << told["cost"];
    EXPECT_TRUE(told["sites"].empty());
    ASSERT_GE(told["looks"].size(), 2u);
    EXPECT_EQ(told["looks"].back()["stuck"], 2);
  }
}

bool passes_through(const json& stack, const std::string& function) {
  return std::ranges::any_of(stack, [&](const json& frame) { return frame["function"] == function; });
}

// Of both locks of a deadlock the report must know the block that they lie in.
void expect_accounts(const json& told) {
  ASSERT_EQ(told["verdicts"].size(), 1u);
  EXPECT_EQ(told["verdicts"][0]["kind"], "deadlock");
  ASSERT_EQ(told["locks"].size(), 2u);
  for (const json& lock : told["locks"]) {
    const json& block = lock["block"];
    ASSERT_FALSE(block.is_null()) << lock;
    EXPECT_EQ(block["kind"], "heap");
    EXPECT_EQ(block["size"], ACCOUNT_LOCK_AT + sizeof(pthread_mutex_t));
    EXPECT_EQ(lock["address"].get<std::uint64_t>() - block["address"].get<std::uint64_t>(), ACCOUNT_LOCK_AT);
    EXPECT_TRUE(block["incomplete"].is_null());
    EXPECT_TRUE(passes_through(block["stack"], "open_account")) << block;
  }
}

TEST(Recorded, ALockOnTheHeapIsKnownByWhoAllocatedIt) {
  DWELL_NEEDS_BPF();
  Program target({target_binary("stuck_locks"), "on_the_heap"});
  ASSERT_TRUE(target.wait_for_output("waiting"));
  TemporaryFolder folder;
  std::string file = folder.file("accounts.dwell");
  Recording recording(target.pid(), file, {"--look-every", "200ms"});
  ASSERT_TRUE(recording.attached());
  target.write_line("");
  ASSERT_TRUE(target.wait_for_output("ready"));
  ASSERT_TRUE(eventually([&] {
    json looks = report(file)["looks"];
    return !looks.empty() && looks.back()["stuck"] == 2;
  }));
  ASSERT_EQ(recording.stop(), 0);

  expect_accounts(report(file, {"--only", "threads"}));
  Finished text = run({dwell_binary(), "report", file});
  EXPECT_NE(text.output.find("Deadlock (certain)"), std::string::npos) << text.output;
  LookedAt now = look_at(target.pid(), {"--with", file});
  EXPECT_EQ(now.exit, 8);
  expect_accounts(now.report);
  Finished words = run({dwell_binary(), "threads", "-p", std::to_string(target.pid()), "--with", file});
  EXPECT_NE(words.output.find("allocated"), std::string::npos) << words.output;

  // What another process's recording knows is of no use.
  StuckThreads other("idle_pool");
  Finished refused = run({dwell_binary(), "threads", "-p", std::to_string(other.pid()), "--with", file});
  EXPECT_EQ(refused.exit, 2);
  EXPECT_NE(refused.errors.find("that recording is not of process"), std::string::npos) << refused.errors;
}

json record_blocked(const StuckThreads& target, const std::string& file) {
  Finished recorded = run({dwell_binary(), "record", "-p", std::to_string(target.pid()), "-d", "2",
                           "--blocked", "-q", "-o", file});
  EXPECT_EQ(recorded.exit, 0) << recorded.errors;
  return report(file);
}

// Of one that sleeps over and over each sleep counts, of those that wait since before the recording all of
// it.
TEST(Recorded, BlockedTimeByStack) {
  DWELL_NEEDS_BPF();
  StuckThreads target("naps");
  TemporaryFolder folder;
  std::string file = folder.file("blocked.dwell");
  json told = record_blocked(target, file);
  double duration = told["recording"]["duration_ns"];
  auto blocked_in = [&](const std::string& function) {
    std::pair<double, int> sum{0, 0};
    for (const json& site : told["blocked"]) {
      if (!passes_through(site["stack"], function)) continue;
      sum.first += site["ns"].get<double>();
      sum.second += site["waits"].get<int>();
    }
    return sum;
  };
  auto [nap_ns, naps] = blocked_in("nap");
  EXPECT_GT(nap_ns, 0.5 * duration) << told["blocked"];
  EXPECT_LT(nap_ns, 1.02 * duration);
  EXPECT_GE(naps, 20);
  EXPECT_LE(naps, duration / 1e6 / NAP_MILLISECONDS + 2);
  auto [idle_ns, idle] = blocked_in("idle_worker");
  EXPECT_EQ(idle, IDLE_WORKERS);
  EXPECT_GT(idle_ns, 0.9 * IDLE_WORKERS * duration);
  EXPECT_LT(idle_ns, 1.02 * IDLE_WORKERS * duration);
  EXPECT_EQ(run({dwell_binary(), "export", file, "--view", "threads:blocked", "-f", "folded"}).exit, 0);
}

// It waited before anybody looked, and is woken up by this test.
TEST(Recorded, WhoWokeUpOneThatWaitedBefore) {
  DWELL_NEEDS_BPF();
  StuckThreads target("idle_pool");
  TemporaryFolder folder;
  std::string file = folder.file("woken.dwell");
  Recording recording(target.pid(), file, {"--blocked"});
  ASSERT_TRUE(recording.attached());
  target.program().write_line("");
  ASSERT_EQ(recording.program().wait(), 0);
  json told = report(file), main_waits;
  for (const json& site : told["blocked"])
    if (passes_through(site["stack"], "run_scenario")) main_waits = site;
  ASSERT_FALSE(main_waits.is_null()) << told;
  EXPECT_EQ(main_waits["waits"], 1);
  ASSERT_EQ(main_waits["wakers"].size(), 1u);
  EXPECT_EQ(main_waits["wakers"][0]["kind"], "process") << main_waits["wakers"];
  std::string words = main_waits["wakers"][0]["words"];
  EXPECT_NE(words.find(fmt::format("({}), another process", ::getpid())), std::string::npos) << words;
}

TEST(Recorded, WhoWokeThemUp) {
  DWELL_NEEDS_BPF();
  StuckThreads target("wakes");
  TemporaryFolder folder;
  std::string file = folder.file("wakes.dwell");
  json told = record_blocked(target, file);
  for (const json& site : told["blocked"]) EXPECT_TRUE(site["incomplete"].is_null()) << site;

  // The kind of whoever woke up the thread that waits in this function, and all that is told of it.
  auto waker_of = [&](const std::string& function) {
    json waker;
    for (const json& site : told["blocked"]) {
      if (!passes_through(site["stack"], function)) continue;
      // A wake-up is not seen that comes before the thread has quite gone to sleep, or been noted to wait.
      for (const json& other : site["wakers"])
        EXPECT_TRUE(other == site["wakers"][0] || (other["kind"] == "unknown" && other["waits"] <= 2))
            << site["wakers"];
      EXPECT_LE(site["waits"].get<int>() - site["ended"].get<int>(), 1);
      if (!site["wakers"].empty()) waker = site["wakers"][0];
    }
    EXPECT_FALSE(waker.is_null()) << function;
    if (waker.is_null()) return json::object();
    EXPECT_GE(waker["waits"], 20) << waker;
    return waker;
  };
  for (const char* function : {"woken_by_thread", "woken_by_socket"}) {
    json waker = waker_of(function);
    EXPECT_EQ(waker["kind"], "thread") << waker;
    EXPECT_TRUE(passes_through(waker["stack"], "wake_threads")) << waker;
    EXPECT_TRUE(waker["incomplete"].is_null());
  }
  json process = waker_of("woken_by_process");
  EXPECT_EQ(process["kind"], "process");
  EXPECT_TRUE(process["words"].get<std::string>().starts_with(WAKING_PROCESS)) << process;
  EXPECT_EQ(waker_of("wake_threads")["kind"], "interrupt");

  Finished text = run({dwell_binary(), "report", file});
  EXPECT_NE(text.output.find("woken up by"), std::string::npos) << text.output;
  Finished pprof = run({dwell_binary(), "export", file, "--view", "threads:blocked", "-f", "pprof", "-o",
                        folder.file("blocked.pb.gz")});
  EXPECT_EQ(pprof.exit, 0) << pprof.errors;
}

}  // namespace
}  // namespace dwell::testing
