// SPDX-License-Identifier: Apache-2.0
// Waits for locks in a recording: how often, for which lock, at which call site, and who held it.
#include <gmock/gmock.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/end_to_end/harness.h"
#include "tests/targets/contended.h"

namespace dwell::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using nlohmann::json;

bool has_function(const json& stack, const std::string& function) {
  return std::ranges::any_of(stack, [&](const json& frame) { return frame["function"] == function; });
}

std::vector<json> rows_of(const json& report, const std::string& function) {
  std::vector<json> rows;
  for (const json& row : report["lock_waits"]["sites"])
    if (has_function(row["stack"], function)) rows.push_back(row);
  return rows;
}

// One place, one lock, so many waits, each ended by the release in `holder`.
void expect_row(const json& report, const std::string& waiter, const std::string& holder, const std::string& lock, int times) {
  std::vector<json> rows = rows_of(report, waiter);
  ASSERT_EQ(rows.size(), 1u) << waiter << report["lock_waits"];
  EXPECT_EQ(rows[0]["waits"], times) << rows[0];
  EXPECT_THAT(rows[0]["lock"].get<std::string>(), HasSubstr(lock));
  EXPECT_GE(rows[0]["ns"], rows[0]["longest_ns"]);
  EXPECT_GE(rows[0]["longest_ns"], 100'000);
  ASSERT_EQ(rows[0]["holders"].size(), 1u) << rows[0]["holders"];
  EXPECT_EQ(rows[0]["holders"][0]["end"], "released");
  EXPECT_TRUE(has_function(rows[0]["holders"][0]["stack"], holder)) << rows[0]["holders"];
}

TEST(LockWaits, AreToldWithTheLockAndWhoHeldIt) {
  DWELL_NEEDS_BPF();
  Scenario scenario = record_scenario({target_binary("contended")}, {"--locks", "--exact"});
  const json& report = scenario.report;
  expect_nothing_lost(report);
  expect_row(report, "waits_for_queue", "holds_queue", "mutex queue_lock", CONTENDED_TIMES);
  expect_row(report, "waits_for_session", "holds_session", "mutex at 0x", CONTENDED_ON_HEAP);
  expect_row(report, "reads_prices", "writes_prices", "rwlock (to read) prices", CONTENDED_READS);
  EXPECT_TRUE(has_function(rows_of(report, "waits_for_session").at(0)["allocated_at"], "makes_session"));
  EXPECT_GE(report["lock_waits"]["other"]["waits"], CONTENDED_CONDITIONS) << "conditions are no locks";
  EXPECT_TRUE(rows_of(report, "waits_until_ready").empty() || rows_of(report, "waits_until_ready")[0]["waits"] <= CONTENDED_CONDITIONS);
}

TEST(LockWaits, InWordsAndAsAProfile) {
  DWELL_NEEDS_BPF();
  TemporaryFolder folder;
  Program program({target_binary("contended")});
  ASSERT_TRUE(program.wait_for_output("ready"));
  std::string path = folder.file("locks.dwell");
  Recording recording(program.pid(), path, {"--only", "threads:locks"});
  ASSERT_TRUE(recording.attached());
  program.write_line("go");
  ASSERT_TRUE(program.wait_for_output("done"));
  EXPECT_EQ(recording.stop(), 0);
  EXPECT_THAT(recording.program().output(), AllOf(HasSubstr("Waits for locks"), HasSubstr("queue_lock"), HasSubstr("waits_for_queue"), HasSubstr("holds_queue")));
  Finished folded = run({dwell_binary(), "export", path, "--view", "threads:locks", "-f", "folded"});
  EXPECT_THAT(folded.output, HasSubstr("waits_for_queue"));
  program.write_line("end");
}

}  // namespace
}  // namespace dwell::testing
