// SPDX-License-Identifier: Apache-2.0
// Pending timers from outside: every one, by what it is for, and which of them are useless. DWELL_GO_TIMERS
// may name more builds of the target, of other versions of Go.
#include <gtest/gtest.h>

#include "tests/end_to_end/go/builds.h"
#include "tests/end_to_end/harness.h"
#include "userspace/base/text.h"
#include "userspace/go/goroutines/stuck.h"
#include "userspace/go/timers/report.h"

namespace dwell::testing {
namespace {

// As the target has them.
constexpr std::uint64_t kFunctions = 20, kMethods = 8, kSleepers = 10, kDeadlines = 25, kWaiters = 5,
                        kReads = 7, kTickers = 40, kAfters = 30;
constexpr std::uint64_t kMinute = 60'000'000'000;

std::vector<std::string> targets() { return builds_of({"timers"}, "DWELL_GO_TIMERS"); }

struct Looked {
  TimerReport timers;
  StuckFinding finding;
  int minor = 0;
};

Result<Looked> look(pid_t pid) {
  Result<GoRuntime> runtime = GoRuntime::attach(pid);
  if (!runtime) return runtime.error();
  Result<StuckFinding> found = find_stuck(*runtime, {.pause_ns = 20'000'000, .what_is_unheld = true});
  if (!found) return found.error();
  Result<TimerReport> timers = look_at_timers(*runtime, &found->useless_timers);
  if (!timers) return timers.error();
  return Looked{std::move(*timers), std::move(*found), runtime->layout().minor};
}

const GoTimerGroup* group_of(const TimerReport& report, GoTimerKind kind, std::uint64_t period_ns,
                             const std::string& function, bool waited_for) {
  for (const GoTimerGroup& group : report.groups)
    if (group.kind == kind && group.period_ns == period_ns && group.function.function == function &&
        group.waited_for == waited_for)
      return &group;
  return nullptr;
}

bool has_call(const std::vector<GoCall>& calls, const std::string& function) {
  return std::any_of(calls.begin(), calls.end(),
                     [&](const GoCall& call) { return call.function == function; });
}

void expect_due(const GoTimerGroup& group, std::uint64_t begin_ns, std::uint64_t soonest,
                std::uint64_t latest) {
  constexpr std::uint64_t kLongestStart = 2 * kMinute;
  EXPECT_NEAR(static_cast<double>(group.soonest_ns), static_cast<double>(begin_ns + soonest), kLongestStart);
  EXPECT_NEAR(static_cast<double>(group.latest_ns), static_cast<double>(begin_ns + latest), kLongestStart);
  EXPECT_GE(group.latest_ns - group.soonest_ns, latest - soonest);
}

std::uint64_t now_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
}

class Timers : public ::testing::TestWithParam<std::string> {};

TEST_P(Timers, AreAllToldByWhatTheyAreFor) {
  std::uint64_t begin = now_ns();
  Program target({GetParam(), "kept"});
  ASSERT_TRUE(target.wait_for_output("ready"));
  Result<Looked> looked = look(target.pid());
  ASSERT_TRUE(looked) << looked.error().what;
  const TimerReport& report = looked->timers;
  struct Expected {
    GoTimerKind kind;
    std::uint64_t period, count, soonest, latest;
    std::string function, site;
  };
  const Expected kExpected[] = {
      {GoTimerKind::kFunction, 0, kFunctions, 60 * kMinute, 79 * kMinute, "main.onExpiry", ""},
      {GoTimerKind::kFunction, 0, kMethods, 60 * kMinute, 60 * kMinute, "main.(*session).expire-fm", ""},
      {GoTimerKind::kSleep, 0, kSleepers, 180 * kMinute, 180 * kMinute, "", "main.sleepLong"},
      {GoTimerKind::kChannel, 90 * kMinute, kWaiters, 90 * kMinute, 90 * kMinute, "", "main.takeTicks"},
      {GoTimerKind::kDescriptor, 0, kReads, 240 * kMinute, 240 * kMinute, "", ""},
  };
  std::uint64_t sum = kDeadlines, of_runtime = 0;
  for (const Expected& expected : kExpected) {
    const GoTimerGroup* group =
        group_of(report, expected.kind, expected.period, expected.function, !expected.site.empty());
    ASSERT_TRUE(group) << expected.function << expected.site;
    EXPECT_EQ(group->count, expected.count) << expected.function << expected.site;
    expect_due(*group, begin, expected.soonest, expected.latest);
    if (!expected.site.empty()) {
      EXPECT_TRUE(has_call(group->calls, expected.site));
      EXPECT_EQ(group->creator.function, "main.main");
    }
    sum += expected.count;
  }
  std::uint64_t contexts = 0;
  for (const GoTimerGroup& group : report.groups) {
    of_runtime += group.kind == GoTimerKind::kOther ? group.count : 0;
    contexts += group.kind == GoTimerKind::kContext ? group.count : 0;
    EXPECT_EQ(group.useless.value_or(0), 0u);
  }
  EXPECT_EQ(contexts, kDeadlines);
  EXPECT_EQ(report.pending, sum + of_runtime);
  EXPECT_EQ(report.torn, 0u);
  EXPECT_TRUE(looked->finding.useless_timers.empty());
}

// Go 1.23 took away what made them pile up, for programs that say that they are of that version. The target
// does not say so; 1.27 asks no more.
TEST_P(Timers, ThatNobodyCanReceiveFromAreUseless) {
  Program target({GetParam()});
  ASSERT_TRUE(target.wait_for_output("ready"));
  Result<Looked> looked = look(target.pid());
  ASSERT_TRUE(looked) << looked.error().what;
  constexpr int kFirstWithout = 27;
  if (looked->minor >= kFirstWithout) {
    EXPECT_TRUE(looked->finding.useless_timers.empty());
    GTEST_SKIP() << "this version has none";
  }
  EXPECT_EQ(looked->timers.useless_tickers, kTickers);
  EXPECT_EQ(looked->timers.useless_timers, kAfters);
  EXPECT_TRUE(looked->finding.proved) << looked->finding.reservation;
  std::uint64_t pending = 0;
  for (const GoTimerGroup& group : looked->timers.groups)
    pending += group.kind == GoTimerKind::kChannel && !group.waited_for ? group.count : 0;
  EXPECT_EQ(pending, kTickers + kAfters);
  target.write_line("more");
  ASSERT_TRUE(target.wait_for_output("again"));
  looked = look(target.pid());
  ASSERT_TRUE(looked) << looked.error().what;
  EXPECT_EQ(looked->timers.useless_tickers, 2 * kTickers);
  EXPECT_EQ(looked->timers.useless_timers, 2 * kAfters);
}

// By the heap profile, where a program has one and there are enough for its samples.
TEST_P(Timers, AreLedBackToWhoMakesThem) {
  Program target({GetParam(), "many"});
  ASSERT_TRUE(target.wait_for_output("ready"));
  Result<GoRuntime> runtime = GoRuntime::attach(target.pid());
  ASSERT_TRUE(runtime) << runtime.error().what;
  constexpr int kFirstWithout = 27;
  if (runtime->layout().minor >= kFirstWithout) GTEST_SKIP() << "this version frees them";
  Result<TimerReport> report = look_at_timers(*runtime);
  ASSERT_TRUE(report) << report.error().what;
  constexpr std::uint64_t kMany = 40'000;
  EXPECT_GE(report->pending, kMany);
  ASSERT_FALSE(report->makers.empty());
  EXPECT_EQ(report->makers[0].calls[0].function, "main.uselessTicker");
  EXPECT_GT(report->makers[0].in_use_bytes, 2'000'000);
  EXPECT_LT(report->makers[0].in_use_bytes, 30'000'000);
}

// The same program where it does say so: the runtime lists a channel's timer only while somebody waits.
TEST_P(Timers, AreNotUselessWhereTheRuntimeFreesThem) {
  Program target({GetParam()}, {"GODEBUG=asynctimerchan=0"});
  ASSERT_TRUE(target.wait_for_output("ready"));
  Result<Looked> looked = look(target.pid());
  ASSERT_TRUE(looked) << looked.error().what;
  constexpr int kFirstThatFrees = 23;
  if (looked->minor < kFirstThatFrees) GTEST_SKIP() << "this version frees none";
  EXPECT_TRUE(looked->finding.useless_timers.empty());
  for (const GoTimerGroup& group : looked->timers.groups)
    EXPECT_TRUE(group.kind != GoTimerKind::kChannel || group.waited_for);
}

INSTANTIATE_TEST_SUITE_P(Targets, Timers, ::testing::ValuesIn(targets()), name_of_build);

TEST(TimersCommand, TellsUselessOnesAndExitsWithFound) {
  Program target({target_binary("go/timers")});
  ASSERT_TRUE(target.wait_for_output("ready"));
  std::vector<std::string> command = {dwell_binary(), "go", "-p", std::to_string(target.pid()), "--timers"};
  Finished looked = run(command);
  EXPECT_EQ(looked.exit, 0) << looked.errors;
  EXPECT_NE(looked.output.find("useless: nothing can receive from it any more"), std::string::npos) << looked.output;
  EXPECT_NE(looked.output.find("calls main.onExpiry"), std::string::npos) << looked.output;
  command.push_back("--prove");
  looked = run(command);
  EXPECT_EQ(looked.exit, static_cast<int>(Exit::kFound)) << looked.errors;
  EXPECT_NE(looked.output.find("tickers were never stopped"), std::string::npos) << looked.output;
  command.push_back("--json");
  nlohmann::json json = nlohmann::json::parse(run(command).output);
  EXPECT_EQ(json["timers"]["groups"][0]["kind"], "channel");
  EXPECT_GT(json["timers"]["useless_tickers"], 0);
  EXPECT_EQ(json["timers"]["groups"][0]["useless"], json["timers"]["useless_tickers"]);
}

TEST(TimersCommand, IsSilentAboutTheRepairedProgram) {
  Program target({target_binary("go/timers"), "kept"});
  ASSERT_TRUE(target.wait_for_output("ready"));
  Finished none = run(
      {dwell_binary(), "go", "-p", std::to_string(target.pid()), "--timers", "--prove"});
  EXPECT_EQ(none.exit, 0) << none.errors << none.output;
  EXPECT_EQ(none.output.find("useless"), std::string::npos) << none.output;
}

}  // namespace
}  // namespace dwell::testing
