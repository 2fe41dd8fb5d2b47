// SPDX-License-Identifier: Apache-2.0
// What became of a process's memory, whoever allocated it: each way of growing is named by the part that grew, the parts add up to
// RSS, and what is in equilibrium does not grow.
#include <unistd.h>

#include <cmath>

#include "tests/end_to_end/harness.h"
#include "tests/targets/growth_kinds.h"

namespace dwell::testing {
namespace {

constexpr double kMB = 1 << 20;

struct Balanced {
  nlohmann::json report, balance;
  double part(const std::string& name) const {
    return balance["part_changes"].contains(name) ? balance["part_changes"][name].get<double>() : 0;
  }
  double rss() const { return balance["rss_change_bytes"].get<double>(); }
  double heap_growth() const {
    for (const auto& total : report["totals"])
      if (total["kind"] == "heap" && total["process"] == 0) {
        if (total["older_frees"].is_object()) return total["older_frees"]["live_bytes_change"].get<double>();
        return total["figures"]["allocated_bytes"].get<double>() - total["figures"]["freed_bytes"].get<double>();
      }
    return 0;
  }
};

// Records growth_kinds WAY, and sees that its parts add up.
Balanced record_way(const std::string& way, const std::string& program = "growth_kinds", const std::vector<std::string>& environment = {}) {
  Scenario scenario = record_scenario({target_binary(program), way}, {"--only", "memory"}, environment);
  Balanced made{scenario.report, {}};
  if (!scenario.report.contains("process_memory") || scenario.report["process_memory"].empty()) {
    ADD_FAILURE() << "nothing is known of RSS";
    return made;
  }
  made.balance = scenario.report["process_memory"][0];
  double sum = 0;
  for (const auto& [name, bytes] : made.balance["part_changes"].items()) sum += bytes.get<double>();
  EXPECT_EQ(sum, made.rss()) << made.balance;
  EXPECT_LE(std::abs(made.part("unexplained")), 0.02 * made.balance["rss_after_bytes"].get<double>() + 0.2 * kMB) << made.balance;
  return made;
}

class Growth : public ::testing::Test {
 protected:
  void SetUp() override { DWELL_NEEDS_BPF(); }
};

TEST_F(Growth, OfBlocksIsLive) {
  for (const char* program : {"growth_kinds", "growth_kinds_static"}) {
    Balanced made = record_way("keep", program);
    EXPECT_NEAR(made.part("live_blocks"), GK_BYTES, 0.1 * GK_BYTES) << made.balance;
    EXPECT_NEAR(made.rss(), GK_BYTES, 0.1 * GK_BYTES);
    EXPECT_NEAR(made.heap_growth(), GK_BYTES, 0.02 * GK_BYTES);
  }
}

TEST_F(Growth, OfAnotherAllocatorIsLiveToo) {
  const char* jemalloc = "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2";
  if (::access(jemalloc, R_OK) != 0) GTEST_SKIP() << jemalloc << " is not installed";
  Balanced made = record_way("keep", "growth_kinds", {std::string("LD_PRELOAD=") + jemalloc});
  EXPECT_NEAR(made.part("live_blocks"), GK_BYTES, 0.1 * GK_BYTES) << made.balance;
}

TEST_F(Growth, IsNoneWhereOldBlocksAreReplaced) {
  Balanced made = record_way("cache");
  EXPECT_TRUE(made.balance["level"].get<bool>()) << made.balance;
  EXPECT_LT(std::abs(made.heap_growth()), 0.05 * GK_CACHE_BLOCKS * GK_CACHE_SIZE);
  for (const auto& total : made.report["totals"])
    if (total["kind"] == "heap") {
      EXPECT_TRUE(total["figures"]["growth_bytes_per_minute"].is_null());
      EXPECT_TRUE(total["older_frees"]["level"].get<bool>());
      EXPECT_GE(total["older_frees"]["frees"].get<int>(), GK_CACHE_BLOCKS);
    }
}

TEST_F(Growth, OfFreeMemoryIsTheAllocators) {
  constexpr double kPassed = 1.0 * GK_PASS_THREADS * GK_PASS_BLOCKS * GK_PASS_SIZE;
  Balanced made = record_way("high_water");
  EXPECT_GT(made.rss(), 0.9 * kPassed) << made.balance;
  EXPECT_GT(made.part("free_inside_the_allocator"), 0.9 * kPassed) << made.balance;
  EXPECT_LT(std::abs(made.heap_growth()), 0.01 * kPassed);
  EXPECT_GT(made.balance["at_end"]["trimmable_bytes"].get<double>(), 0.8 * kPassed) << made.balance;
}

TEST_F(Growth, OfMappingsIsNamedByTheirKind) {
  for (const auto& [way, part] : {std::pair{"anonymous", "anonymous_mappings"}, {"extend", "anonymous_mappings"}, {"memfd", "shared_memory"},
                                  {"segment", "shared_memory"}, {"stacks", "thread_stacks"}}) {
    Balanced made = record_way(way);
    EXPECT_NEAR(made.part(part), GK_BYTES, 0.15 * GK_BYTES) << way << made.balance;
    EXPECT_NEAR(made.rss(), GK_BYTES, 0.15 * GK_BYTES) << way;
    EXPECT_LT(std::abs(made.heap_growth()), 0.01 * GK_BYTES) << way;
  }
}

TEST_F(Growth, IsNoneWhereOnlyAddressSpaceIsTaken) {
  Balanced made = record_way("reserve");
  EXPECT_TRUE(made.balance["level"].get<bool>()) << made.balance;
}

// What a person reads first: the process, and nothing of the heap that says otherwise.
TEST_F(Growth, HeadlineSaysWhatTheProcessDid) {
  TemporaryFolder folder;
  Program target({target_binary("growth_kinds"), "high_water"});
  ASSERT_TRUE(target.wait_for_output("ready"));
  Recording recording(target.pid(), folder.file("r.dwell"), {"--only", "memory"});
  ASSERT_TRUE(recording.attached()) << recording.program().errors();
  target.write_line("go");
  ASSERT_TRUE(target.wait_for_output("done"));
  EXPECT_EQ(recording.stop(), 0) << recording.program().errors();
  for (const std::string& text : {recording.program().output(), run({dwell_binary(), "report", folder.file("r.dwell")}).output}) {
    EXPECT_NE(text.find("free inside the allocator"), std::string::npos) << text;
    EXPECT_NE(text.find("malloc_trim(0) would give back about"), std::string::npos) << text;
    EXPECT_LT(text.find("RSS +"), text.find("Heap grew")) << text;
  }
}

// Of a child that is followed as well, from when it was first looked at: told as the process that grew.
TEST_F(Growth, OfAChildIsNamedByItsParts) {
  TemporaryFolder folder;
  Program target({target_binary("growth_kinds"), "in_child"});
  ASSERT_TRUE(target.wait_for_output("ready"));
  Recording recording(target.pid(), folder.file("r.dwell"), {"--only", "memory", "--follow-forks"});
  ASSERT_TRUE(recording.attached()) << recording.program().errors();
  target.write_line("go");
  ASSERT_TRUE(target.wait_for_output("child waits"));
  auto is_looked_at = [&] {
    nlohmann::json so_far = report(folder.file("r.dwell"));
    return so_far["process_memory"].size() == 2 && !so_far["process_memory"][1]["no_parts"].is_null();
  };
  ASSERT_TRUE(eventually(is_looked_at));
  target.write_line("grow");
  ASSERT_TRUE(target.wait_for_output("child did it"));
  EXPECT_EQ(recording.stop(), 0) << recording.program().errors();
  nlohmann::json whole = report(folder.file("r.dwell")), balance = whole["process_memory"][1];
  EXPECT_EQ(balance["process"], 1);
  EXPECT_NEAR(balance["part_changes"].value("anonymous_mappings", 0.0), GK_BYTES, 0.05 * GK_BYTES) << balance;
  std::string name = "Most: growth_kinds (" + std::to_string(whole["processes"][1]["pid"].get<int>()) + ") +2";  // of 24 MB
  EXPECT_NE(recording.program().output().find(name), std::string::npos) << recording.program().output();
}

// A process that ends is told as it was last seen.
TEST_F(Growth, OfAProcessThatEndsIsWhatWasLastKnown) {
  TemporaryFolder folder;
  Finished finished = run({dwell_binary(), "record", "--only", "memory", "-o", folder.file("r.dwell"), "--", "/bin/sh", "-c", "read x < /dev/null; sleep 0.4"});
  EXPECT_EQ(finished.exit, 0) << finished.errors;
  nlohmann::json balance = report(folder.file("r.dwell"))["process_memory"][0];
  EXPECT_TRUE(balance["ended"].get<bool>());
  EXPECT_GT(balance["rss_after_bytes"].get<double>(), 0);
  EXPECT_TRUE(balance["part_changes"].is_null());
}

}  // namespace
}  // namespace dwell::testing
