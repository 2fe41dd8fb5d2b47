// SPDX-License-Identifier: Apache-2.0
// Goroutines that can never wake, by each cause, and the same goroutines where they still can. DWELL_GO_LEAKS
// may name more builds of the target, of other versions of Go; those of 1.27 and later are asked for their
// own verdict.
#include "userspace/go/goroutines/stuck.h"

#include <gtest/gtest.h>

#include "tests/end_to_end/go/builds.h"
#include "tests/end_to_end/harness.h"
#include "userspace/base/text.h"
#include "userspace/go/goroutines/report.h"

namespace dwell::testing {
namespace {

constexpr std::size_t kTimes = 50;

struct Cause {
  std::string name;
  std::size_t stuck;
};
const Cause kCauses[] = {{"sender", kTimes},  {"receiver", kTimes}, {"buffer", kTimes}, {"nil", kTimes},
                         {"select", kTimes},  {"cases", kTimes},    {"mutex", kTimes},  {"rwmutex", kTimes},
                         {"group", kTimes},   {"cancel", kTimes},   {"early", kTimes},  {"cycle", 2 * kTimes},
                         {"body", 2 * kTimes}};
const std::string kHeld[] = {"sleeper", "timer", "finalizer", "defer", "deadline", "mail", "reader"};

std::vector<std::string> targets() { return builds_of({"leaks"}, "DWELL_GO_LEAKS"); }

constexpr StuckOptions kQuick = {.pause_ns = 20'000'000};

// What stands in a register or in a word of the moment may hide one, once; nothing may ever make one up.
Result<StuckFinding> find_all(Program& target, std::size_t expected) {
  constexpr int kTries = 3;
  Result<GoRuntime> runtime = GoRuntime::attach(target.pid());
  if (!runtime) return runtime.error();
  for (int i = 1;; ++i) {
    Result<StuckFinding> found = find_stuck(*runtime, kQuick);
    if (!found || found->goroutines.size() >= expected || i == kTries) return found;
  }
}

Result<StuckFinding> find_in(const std::vector<std::string>& command, std::size_t expected = 0) {
  Program target(command);
  EXPECT_TRUE(target.wait_for_output("ready"));
  return find_all(target, expected);
}

// The collector misses some: small locks share a block of memory with others.
void expect_nearly_all(std::size_t found, std::size_t stuck, const std::string& cause) {
  EXPECT_LE(found, stuck) << cause;
  EXPECT_GE(found * 10, stuck * 9) << cause;
}

class Stuck : public ::testing::TestWithParam<std::string> {};

TEST_P(Stuck, AreFoundByEachCause) {
  for (const Cause& cause : kCauses) {
    Result<StuckFinding> found = find_in({GetParam(), cause.name}, cause.stuck);
    ASSERT_TRUE(found) << found.error().what;
    // Where the first of the small locks got the second half of a block that something else is alive in, that is told.
    EXPECT_EQ(found->goroutines.size() + found->not_judged.shared_locks, cause.stuck) << cause.name;
    EXPECT_LE(found->not_judged.shared_locks, cause.name == "mutex" ? 2U : 0U) << cause.name;
    EXPECT_TRUE(found->proved) << cause.name << ": " << found->reservation;
    EXPECT_GE(found->looks, 2);
  }
}

TEST_P(Stuck, AreNotClaimedWhereTheyCanStillWake) {
  for (const Cause& cause : kCauses) {
    Result<StuckFinding> found = find_in({GetParam(), cause.name, "kept"});
    ASSERT_TRUE(found) << found.error().what;
    EXPECT_EQ(found->goroutines.size(), 0u) << cause.name;
  }
  for (const std::string& way : kHeld) {
    Result<StuckFinding> found = find_in({GetParam(), way});
    ASSERT_TRUE(found) << found.error().what;
    EXPECT_EQ(found->goroutines.size(), 0u) << way;
    EXPECT_GE(found->candidates, kTimes) << way;
  }
}

TEST_P(Stuck, AreNotClaimedOfAFirstGoroutineThatWaitsOnPurpose) {
  Result<StuckFinding> found = find_in({GetParam(), "nothing"});
  ASSERT_TRUE(found) << found.error().what;
  EXPECT_EQ(found->goroutines.size(), 0u);
}

TEST_P(Stuck, AgreeWithTheRuntimesOwnVerdict) {
  constexpr int kFirstWithVerdict = 27;
  for (const Cause& cause : kCauses) {
    Program target({GetParam(), cause.name});
    ASSERT_TRUE(target.wait_for_output("ready"));
    Result<GoRuntime> runtime = GoRuntime::attach(target.pid());
    ASSERT_TRUE(runtime) << runtime.error().what;
    if (go_minor_of(runtime->module().version).value_or(0) < kFirstWithVerdict) GTEST_SKIP() << "it has none";
    Result<StuckFinding> found = find_all(target, cause.stuck);
    ASSERT_TRUE(found) << found.error().what;
    target.write_line("account");
    ASSERT_TRUE(target.wait_for_output("end of account"));
    constexpr std::string_view kTotal = "goroutineleak profile: total ";
    std::size_t at = target.output().find(kTotal);
    ASSERT_NE(at, std::string::npos) << target.output();
    std::size_t own = std::stoul(target.output().substr(at + kTotal.size()));
    expect_nearly_all(own, cause.stuck, cause.name + ", its own verdict");
    EXPECT_EQ(found->goroutines.size() + found->not_judged.shared_locks, cause.stuck) << cause.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, Stuck, ::testing::ValuesIn(targets()), name_of_build);

TEST(StuckCommand, ShowsThemFirstAndExitsWithFound) {
  Program target({target_binary("go/leaks"), "early"});
  ASSERT_TRUE(target.wait_for_output("ready"));
  std::string pid = std::to_string(target.pid());
  Finished found = run({dwell_binary(), "go", "-p", pid, "--prove"});
  EXPECT_EQ(found.exit, static_cast<int>(Exit::kFound)) << found.errors;
  EXPECT_NE(found.output.find(" goroutines can never wake: nothing"), std::string::npos) << found.output;
  EXPECT_NE(found.output.find(" goroutines, chan send, can never wake"), std::string::npos) << found.output;
  nlohmann::json json = nlohmann::json::parse(
      run({dwell_binary(), "go", "-p", pid, "--prove", "--json"}).output);
  EXPECT_EQ(json["stuck"]["goroutines"], kTimes);
  EXPECT_EQ(json["stuck"]["proved"], true);
  EXPECT_EQ(json["groups"][0]["stuck"], true);
  EXPECT_EQ(json["groups"][0]["count"], kTimes);
  EXPECT_EQ(json["groups"][0]["state"], "chan send");
  EXPECT_EQ(json["groups"][0]["created_by"]["function"], "main.earlyReturn");
}

TEST(StuckCommand, IsSilentAboutTheRepairedProgram) {
  Program target({target_binary("go/leaks"), "early", "kept"});
  ASSERT_TRUE(target.wait_for_output("ready"));
  Finished none =
      run({dwell_binary(), "go", "-p", std::to_string(target.pid()), "--prove"});
  EXPECT_EQ(none.exit, 0) << none.errors;
  EXPECT_EQ(none.output.find("never wake"), std::string::npos) << none.output;
}

// Pointers that move while they are read must not make anything look stuck, lost or useless.
TEST(StuckUnderChurn, NothingIsClaimed) {
  Program target({target_binary("go/churn")});
  ASSERT_TRUE(target.wait_for_output("ready"));
  Result<GoRuntime> runtime = GoRuntime::attach(target.pid());
  ASSERT_TRUE(runtime) << runtime.error().what;
  int proofs = 0;
  for (int tries = 0; proofs < 3 && tries < 10; ++tries) {
    Result<StuckFinding> found = find_stuck(*runtime, {.pause_ns = 20'000'000, .what_is_unheld = true});
    if (!found) continue;  // the heap changed while it was copied
    ++proofs;
    EXPECT_EQ(found->goroutines.size(), 0u);
    EXPECT_TRUE(found->useless_timers.empty());
    EXPECT_GE(found->candidates, 100u);
  }
  EXPECT_EQ(proofs, 3);
}

// Goroutines that live long and wait again and again, for ever other things: that each look finds the same ones
// waiting proves nothing. DWELL_GO_POOLS may name more builds of the target, DWELL_POOL_PROOFS how many proofs.
std::vector<std::string> pools() {
  std::vector<std::string> result = {target_binary("go/pools")};
  if (const char* more = std::getenv("DWELL_GO_POOLS"))
    for (std::string_view path : split(more, ':')) result.emplace_back(path);
  return result;
}

TEST(StuckInABusyProgram, NobodyWhoGoesOnIsClaimed) {
  int wanted = 4;
  if (const char* more = std::getenv("DWELL_POOL_PROOFS")) wanted = std::atoi(more);
  for (const std::string& path : pools()) {
    Program target({path});
    ASSERT_TRUE(target.wait_for_output("ready"));
    Result<GoRuntime> runtime = GoRuntime::attach(target.pid());
    ASSERT_TRUE(runtime) << runtime.error().what;
    int proofs = 0;
    for (int tries = 0; proofs < wanted && tries < 4 * wanted; ++tries) {
      Result<StuckFinding> found = find_stuck(*runtime, {.pause_ns = 100'000'000, .what_is_unheld = true});
      if (!found) continue;  // the heap changed while it was copied
      ++proofs;
      EXPECT_EQ(found->goroutines.size(), 0u) << path << ", proof " << proofs << ", " << found->looks << " looks";
      EXPECT_EQ(found->abandoned.size(), 0u);
    }
    EXPECT_EQ(proofs, wanted);
    EXPECT_EQ(target.output().find("STUCK"), std::string::npos);
  }
}

TEST(StuckInABusyProgram, WhoIsStuckIsFoundAllTheSame) {
  constexpr std::size_t kLeaked = 50;
  for (const std::string& path : pools()) {
    Program target({path, "leak"});
    ASSERT_TRUE(target.wait_for_output("ready"));
    Result<StuckFinding> found = find_all(target, kLeaked);
    ASSERT_TRUE(found) << found.error().what;
    EXPECT_EQ(found->goroutines.size(), kLeaked) << path;
  }
}

// Half of them wait on conditions, and half for those. DWELL_GO_UNJUDGED names more builds.
TEST(StuckOnConditions, AreFoundUnlessSomethingLeadsToTheCondition) {
  for (const std::string& path : builds_of({"unjudged"}, "DWELL_GO_UNJUDGED")) {
    SCOPED_TRACE(path);
    Program stuck({path, "cond"}), kept({path, "kept"});
    ASSERT_TRUE(stuck.wait_for_output("ready"));
    ASSERT_TRUE(kept.wait_for_output("ready"));
    Result<StuckFinding> found = find_all(stuck, 2 * kTimes);
    ASSERT_TRUE(found) << found.error().what;
    EXPECT_EQ(found->goroutines.size(), 2 * kTimes);
    EXPECT_EQ(found->not_judged.conditions, 0U);
    Result<GoRuntime> runtime = GoRuntime::attach(kept.pid());
    ASSERT_TRUE(runtime) << runtime.error().what;
    ASSERT_TRUE(eventually([&] {
      Result<StuckFinding> now = find_stuck(*runtime, kQuick);
      return now && now->candidates >= 2 * kTimes;
    }));
    Result<StuckFinding> none = find_stuck(*runtime, kQuick);
    ASSERT_TRUE(none) << none.error().what;
    EXPECT_TRUE(none->goroutines.empty());
  }
}

// Some lie behind a number that is alive, and could be one struct with it: these are counted. The others are proved.
TEST(StuckOnSmallLocks, AreFoundUnlessALiveNeighborIsInFrontOfThem) {
  for (const std::string& path : builds_of({"unjudged"}, "DWELL_GO_UNJUDGED")) {
    SCOPED_TRACE(path);
    Program stuck({path, "tiny"});
    ASSERT_TRUE(stuck.wait_for_output("ready"));
    Result<GoRuntime> runtime = GoRuntime::attach(stuck.pid());
    ASSERT_TRUE(runtime) << runtime.error().what;
    std::size_t proved = 0, not_judged = 0;
    EXPECT_TRUE(eventually([&] {
      Result<StuckFinding> found = find_stuck(*runtime, kQuick);
      if (found) proved = found->goroutines.size(), not_judged = found->not_judged.shared_locks;
      return proved + not_judged == kTimes;
    })) << proved << " proved, " << not_judged << " not judged";
    EXPECT_GE(proved, kTimes / 5);
    for (const std::string mode : {"tinykept", "counted"}) {
      Result<StuckFinding> none = find_in({path, mode});
      ASSERT_TRUE(none) << none.error().what;
      EXPECT_TRUE(none->goroutines.empty()) << mode;
    }
  }
}

TEST(NotJudged, IsToldInsteadOfNobodyIsStuck) {
  struct Case {
    const char *mode, *words;
    std::uint64_t GoNotJudged::*count;
  };
  for (const Case& each : {Case{"global", "50 for a lock that a global variable leads to", &GoNotJudged::global_locks},
                           Case{"tiny", "for a lock that shares its block", &GoNotJudged::shared_locks}}) {
    Program target({target_binary("go/unjudged"), each.mode});
    ASSERT_TRUE(target.wait_for_output("ready"));
    Result<GoRuntime> runtime = GoRuntime::attach(target.pid());
    ASSERT_TRUE(runtime) << runtime.error().what;
    bool some = std::string(each.mode) == "tiny";  // the others are proved
    ASSERT_TRUE(eventually([&] {
      Result<StuckFinding> found = find_stuck(*runtime, kQuick);
      return found && found->not_judged.*each.count >= (some ? 1u : kTimes);
    })) << each.mode;
    Finished told = run({dwell_binary(), "go", std::to_string(target.pid()), "--prove"});
    EXPECT_NE(told.output.find(each.words), std::string::npos) << told.output;
    EXPECT_EQ(told.output.find("none is stuck"), std::string::npos) << told.output;
  }
}

TEST(OpenResponses, AreToldByWhatTheirConnectionsStandAt) {
  for (bool closed : {false, true}) {
    std::vector<std::string> command = {target_binary("go/leaks"), "shared"};
    if (closed) command.emplace_back("kept");
    Program target(command);
    ASSERT_TRUE(target.wait_for_output("ready"));
    Finished looked = run({dwell_binary(), "go", "-p", std::to_string(target.pid())});
    EXPECT_EQ(looked.output.find("neither read to its end nor closed") == std::string::npos, closed)
        << looked.output;
    EXPECT_EQ(looked.output.find(" 50 goroutines, select") == std::string::npos, closed) << looked.output;
  }
}

TEST(StuckLimits, AHeapBeyondTheLimitIsRefusedWithItsSize) {
  Program target({target_binary("go/leaks"), "sender"});
  ASSERT_TRUE(target.wait_for_output("ready"));
  Result<GoRuntime> runtime = GoRuntime::attach(target.pid());
  ASSERT_TRUE(runtime) << runtime.error().what;
  Result<StuckFinding> refused = find_stuck(*runtime, {.copy_limit = 1000});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().exit, Exit::kUnsupported);
  EXPECT_NE(refused.error().what.find("1000 B is the most that is copied"), std::string::npos)
      << refused.error().what;
}

}  // namespace
}  // namespace dwell::testing
