// SPDX-License-Identifier: Apache-2.0
// What is lost is told, with when and how much: children that were not followed, and events that found no room.
#include <gmock/gmock.h>

#include <algorithm>
#include <csignal>
#include <cstdio>

#include "tests/end_to_end/harness.h"
#include "tests/targets/forker.h"
#include "userspace/base/clock.h"

namespace dwell::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::uint64_t loss(const nlohmann::json& report, const std::string& name) {
  std::uint64_t count = 0;
  for (const nlohmann::json& one : report["losses"])
    if (one["name"].get<std::string>().find(name) != std::string::npos) count += one["count"].get<std::uint64_t>();
  return count;
}

std::string text_of(const std::string& path) { return run({dwell_binary(), "report", path}).output; }

class Losses : public ::testing::Test {
 protected:
  void SetUp() override { DWELL_NEEDS_BPF(); }

  nlohmann::json record_forker(const std::vector<std::string>& arguments, const std::vector<std::string>& options) {
    std::vector<std::string> command{target_binary("forker")};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return record_scenario_into(command, options);
  }
  nlohmann::json record_scenario_into(const std::vector<std::string>& command,
                                      const std::vector<std::string>& options) {
    Program target(command);
    EXPECT_TRUE(target.wait_for_output("ready"));
    Recording recording(target.pid(), path_, options);
    EXPECT_TRUE(recording.attached()) << recording.program().errors();
    target.write_line("go");
    EXPECT_TRUE(target.wait_for_output("done", std::chrono::seconds(120))) << target.describe();
    EXPECT_EQ(recording.stop(), 0) << recording.program().errors();
    target.write_line("end");
    return report(path_);
  }

  TemporaryFolder folder_;
  std::string path_ = folder_.file("r.dwell");
};

void expect_all_accounted_for(const nlohmann::json& report, std::uint64_t forked) {
  const nlohmann::json& children = report["children"];
  ASSERT_TRUE(children.is_object()) << report["losses"];
  auto count = [&](const char* field) { return children[field].get<std::uint64_t>(); };
  EXPECT_EQ(count("forked") + loss(report, "forks lost"), forked);
  EXPECT_EQ(count("followed") + count("ended_too_early") + count("failed") + count("without_room"), count("forked"))
      << children;
  EXPECT_EQ(loss(report, "ended before they could be followed"), count("ended_too_early"));
  EXPECT_EQ(loss(report, "could not be followed"), count("failed"));
  EXPECT_EQ(loss(report, "too many processes"), count("without_room"));
}

TEST_F(Losses, ChildrenThatNobodyAskedForAreNoLossButAreTold) {
  nlohmann::json report = record_forker({"7", "3", "1"}, {});
  EXPECT_EQ(report["children"]["forked"], 7);
  EXPECT_EQ(report["children"]["asked"], false);
  expect_nothing_lost(report);
  std::string text = text_of(path_);
  EXPECT_THAT(text, HasSubstr("No event was lost."));
  EXPECT_THAT(text, HasSubstr("7 child processes were not recorded; --follow-forks follows them."));
}

TEST_F(Losses, ChildrenOfChildrenAreCountedToo) {
  nlohmann::json report = record_forker({"5", "2", "1", "daemon"}, {});
  EXPECT_EQ(report["children"]["forked"], 10);
  report = record_forker({"5", "2", "200", "daemon"}, {"--follow-forks"});
  expect_all_accounted_for(report, 10);
  // Their fathers were gone at once; those that do the work stay long enough.
  EXPECT_GE(report["children"]["followed"], 5);
}

TEST_F(Losses, ProgramsThatAVforkStartedAreTold) {
  nlohmann::json report = record_forker({"4", "2", "0", "spawn"}, {});
  EXPECT_EQ(report["children"]["forked"], 0);
  EXPECT_EQ(report["children"]["spawned"], 4);
  EXPECT_THAT(text_of(path_), HasSubstr("4 programs started by vfork or posix_spawn were not recorded."));
}

// More children than there are slots, many of them gone before anyone could look: each of them is in one count.
TEST_F(Losses, EveryChildIsAccountedFor) {
  constexpr int kChildren = 600;
  nlohmann::json report = record_forker({std::to_string(kChildren), "20", "5"}, {"--follow-forks"});
  expect_all_accounted_for(report, kChildren);
  EXPECT_EQ(report["children"]["without_room"], 0) << "slots of ended processes are given again";
  EXPECT_EQ(report["processes"].size(), 1 + report["children"]["followed"].get<std::size_t>());
  EXPECT_LE(report["notes"].size(), 6u) << report["notes"];
  bool all = report["children"]["followed"] == kChildren;
  EXPECT_THAT(text_of(path_), all ? HasSubstr("No event was lost.") : HasSubstr("Losses"));
}

// How long it takes on this machine, as it is now, until a child is followed.
double milliseconds_to_follow(const nlohmann::json& report) {
  double milliseconds = 0;
  for (const std::string note : report["notes"])
    if (std::sscanf(note.c_str(), "the first %lf ms of the child", &milliseconds) == 1) return milliseconds;
  return 1000;
}

TEST_F(Losses, ProcessesThatHadASlotOneAfterTheOtherAreKeptApart) {
  constexpr int kChildren = 300, kAtOnce = 4;
  double each = milliseconds_to_follow(record_forker({"1", "1", "2000"}, {"--follow-forks"}));
  int life = static_cast<int>(60 + 2 * kAtOnce * std::min(each, 250.0));
  nlohmann::json report = record_forker({std::to_string(kChildren), std::to_string(kAtOnce), std::to_string(life)},
                                        {"--follow-forks"});
  expect_all_accounted_for(report, kChildren);
  EXPECT_EQ(report["children"]["without_room"], 0);
  std::vector<int> blocks(report["processes"].size());
  for (const nlohmann::json& site : sites_in(report, "keep_in_worker"))
    blocks.at(site["process"].get<std::size_t>()) += site["figures"]["retained_blocks"].get<int>();
  for (std::size_t process = 0; process < blocks.size(); ++process)
    EXPECT_LE(blocks[process], FORKER_KEPT) << process;
}

// A reader that is held up reads late what was lost long before.
TEST_F(Losses, TheTimeOfALossIsWhenItHappened) {
  Program target({target_binary("churn")});
  ASSERT_TRUE(target.wait_for_output("ready"));
  std::uint64_t start_ns = monotonic_ns();
  Recording recording(target.pid(), path_, {"--buffer", "1M"});
  ASSERT_TRUE(recording.attached()) << recording.program().errors();
  recording.program().signal(SIGSTOP);
  std::uint64_t stopped_ns = monotonic_ns() - start_ns;
  target.write_line("go");
  ASSERT_TRUE(target.wait_for_output("running"));
  usleep(1'500'000);  // the loss has to last for longer than a reading
  target.write_line("stop");
  ASSERT_TRUE(target.wait_for_output("done"));
  std::uint64_t over_ns = monotonic_ns() - start_ns;
  usleep(1'500'000);
  recording.program().signal(SIGCONT);
  EXPECT_EQ(recording.stop(), 0) << recording.program().errors();
  nlohmann::json report = dwell::testing::report(path_);
  EXPECT_GT(loss(report, "allocations lost"), 0u);
  for (const nlohmann::json& one : report["losses"]) {
    if (one["name"] != "allocations lost") continue;
    EXPECT_LT(one["last_ns"], over_ns) << "not when it was read";
    EXPECT_LT(one["first_ns"], one["last_ns"]);
    EXPECT_GT(one["last_ns"].get<std::uint64_t>() - one["first_ns"].get<std::uint64_t>(), 500'000'000u);
  }
  EXPECT_GT(over_ns, stopped_ns);
  EXPECT_THAT(text_of(path_), Not(HasSubstr("No event was lost")));
}

}  // namespace
}  // namespace dwell::testing
