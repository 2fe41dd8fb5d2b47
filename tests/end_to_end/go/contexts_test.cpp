// SPDX-License-Identifier: Apache-2.0
// Contexts that are not cancelled, from outside and without a probe: every one, and which are lost.
// DWELL_GO_CONTEXTS may name more builds of the target, of other versions of Go.
#include <gtest/gtest.h>

#include "tests/end_to_end/go/builds.h"
#include "tests/end_to_end/harness.h"
#include "userspace/base/text.h"
#include "userspace/go/contexts/report.h"
#include "userspace/go/goroutines/stuck.h"

namespace dwell::testing {
namespace {

// As the target has them.
constexpr std::uint64_t kRequests = 100, kChildren = 50, kWatchers = 20, kHeld = 30, kOwn = 2;
const std::string kParents = "cancel < *signal.signalCtx < cancel < background";

std::vector<std::string> targets() { return builds_of({"contexts"}, "DWELL_GO_CONTEXTS"); }

Result<ContextReport> look(pid_t pid) {
  Result<GoRuntime> runtime = GoRuntime::attach(pid);
  if (!runtime) return runtime.error();
  Result<StuckFinding> found = find_stuck(*runtime, {.pause_ns = 20'000'000, .what_is_unheld = true});
  if (!found) return found.error();
  EXPECT_TRUE(found->proved) << found->reservation;
  return report_contexts(*runtime, found->contexts, true);
}

// Those of a kind for whose end a goroutine waits in this function; nobody if it is "".
std::uint64_t count_of(const ContextReport& report, GoContextKind kind, const std::string& waits_in,
                       std::uint64_t* lost = nullptr) {
  std::uint64_t count = 0;
  for (const GoContextGroup& group : report.groups) {
    auto is_there = [&](const GoCall& call) { return call.function == waits_in; };
    bool waits =
        waits_in.empty() ? !group.waited_for : std::any_of(group.calls.begin(), group.calls.end(), is_there);
    if (group.kind != kind || !waits || group.parents != kParents) continue;
    count += group.count;
    if (lost) *lost += group.lost.value_or(0);
    EXPECT_TRUE(group.has_parent);
  }
  return count;
}

class Contexts : public ::testing::TestWithParam<std::string> {};

TEST_P(Contexts, AreAllFoundAndTheLostOnesTold) {
  Program target({GetParam()});
  ASSERT_TRUE(target.wait_for_output("ready"));
  for (std::uint64_t times = 1; times <= 2; ++times) {
    Result<ContextReport> report = look(target.pid());
    ASSERT_TRUE(report) << report.error().what;
    EXPECT_EQ(report->alive, times * (kRequests + kChildren + kWatchers) + kHeld + kOwn);
    std::uint64_t lost = 0, held = 0;
    EXPECT_EQ(count_of(*report, GoContextKind::kDeadline, "", &lost), times * kRequests);
    EXPECT_EQ(count_of(*report, GoContextKind::kCancel, "", &lost), times * kChildren);
    EXPECT_EQ(count_of(*report, GoContextKind::kCancel, "main.waitFor", &lost), times * kWatchers);
    EXPECT_EQ(count_of(*report, GoContextKind::kDeadline, "main.useful", &held), kHeld);
    EXPECT_EQ(held, 0u);
    EXPECT_EQ(report->lost, lost);
    EXPECT_EQ(lost, times * (kRequests + kChildren + kWatchers));
    if (times == 2) break;
    target.write_line("more");
    ASSERT_TRUE(target.wait_for_output("again"));
  }
}

TEST_P(Contexts, AreNotLostWhereTheyAreCancelled) {
  Program target({GetParam(), "kept"});
  ASSERT_TRUE(target.wait_for_output("ready"));
  Result<ContextReport> report = look(target.pid());
  ASSERT_TRUE(report) << report.error().what;
  EXPECT_EQ(report->alive, kWatchers + kHeld + kOwn);
  EXPECT_EQ(report->lost, 0u);
}

INSTANTIATE_TEST_SUITE_P(Targets, Contexts, ::testing::ValuesIn(targets()), name_of_build);

TEST(ContextsCommand, TellsLostOnesAndExitsWithFound) {
  Program target({target_binary("go/contexts")});
  ASSERT_TRUE(target.wait_for_output("ready"));
  std::vector<std::string> command = {dwell_binary(), "go", "-p", std::to_string(target.pid()), "--contexts"};
  Finished looked = run(command);
  EXPECT_EQ(looked.exit, 0) << looked.errors;
  EXPECT_NE(looked.output.find("Contexts: 202 not cancelled"), std::string::npos) << looked.output;
  EXPECT_NE(looked.output.find("lost: its parent keeps it until that ends"), std::string::npos) << looked.output;
  command.push_back("--prove");
  looked = run(command);
  EXPECT_EQ(looked.exit, static_cast<int>(Exit::kFound)) << looked.errors;
  EXPECT_NE(looked.output.find("lost: its parent keeps it until that ends"), std::string::npos)
      << looked.output;
  command.push_back("--json");
  nlohmann::json json = nlohmann::json::parse(run(command).output);
  EXPECT_EQ(json["contexts"]["alive"], 202);
  EXPECT_EQ(json["contexts"]["groups"][0]["kind"], "deadline");
  EXPECT_EQ(json["contexts"]["groups"][0]["parents"], kParents);
  EXPECT_EQ(json["contexts"]["groups"][0]["lost"], json["contexts"]["groups"][0]["count"]);
}

// Without --contexts too: who waits for a lost one is stuck, unless its parent ends.
TEST(ContextsCommand, WhoWaitsOnlyForLostOnesIsCountedAsStuck) {
  Program target({target_binary("go/contexts")});
  ASSERT_TRUE(target.wait_for_output("ready"));
  std::vector<std::string> command = {dwell_binary(), "go", std::to_string(target.pid()), "--prove"};
  Finished looked = run(command);
  EXPECT_EQ(looked.exit, static_cast<int>(Exit::kFound)) << looked.errors;
  EXPECT_NE(looked.output.find("20 goroutines wait only for lost contexts"), std::string::npos) << looked.output;
  EXPECT_EQ(looked.output.find("is proved stuck"), std::string::npos) << looked.output;
  command.push_back("--json");
  nlohmann::json json = nlohmann::json::parse(run(command).output);
  EXPECT_EQ(json["stuck"]["abandoned"], kWatchers);
  EXPECT_EQ(json["stuck"]["goroutines"], 0);
  EXPECT_EQ(json["stuck"]["proved"], true);
  EXPECT_EQ(json["groups"][0]["abandoned"], true);
  EXPECT_EQ(json["groups"][0]["count"], kWatchers);
  EXPECT_EQ(json["groups"][0]["created_by"]["function"], "main.watch");
}

TEST(ContextsCommand, IsSilentAboutTheRepairedProgram) {
  Program target({target_binary("go/contexts"), "kept"});
  ASSERT_TRUE(target.wait_for_output("ready"));
  Finished none = run({dwell_binary(), "go", "-p", std::to_string(target.pid()),
                       "--contexts", "--prove"});
  EXPECT_EQ(none.exit, 0) << none.errors << none.output;
  EXPECT_EQ(none.output.find("lost"), std::string::npos) << none.output;
}

}  // namespace
}  // namespace dwell::testing
