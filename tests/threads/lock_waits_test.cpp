// SPDX-License-Identifier: Apache-2.0
// Waits for locks in a recording: how often, for which lock, at which call site, and who held it.
#include <gmock/gmock.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/end_to_end/harness.h"
#include "tests/targets/contended.h"

namespace dwell::testing {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

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
  EXPECT_TRUE(rows_of(report, "waits_until_ready").empty() ||
              rows_of(report, "waits_until_ready")[0]["waits"] <= CONTENDED_CONDITIONS);
}

// The rows of holds at one place.
std::vector<json> holds_of(const json& report, const std::string& function) {
  std::vector<json> rows;
  for (const json& row : report["lock_waits"]["holds"])
    if (has_function(row["stack"], function)) rows.push_back(row);
  return rows;
}

TEST(LockWaits, AreFollowedByHolds) {
  DWELL_NEEDS_BPF();
  Scenario scenario = record_scenario({target_binary("contended")}, {"--locks", "--exact"});
  const json& report = scenario.report;
  // Taken after a wait: the whole of it, as the program itself measured it, but for its own two calls of the
  // lock.
  std::vector<json> keeps = holds_of(report, "waits_and_keeps");
  ASSERT_EQ(keeps.size(), 1u) << report["lock_waits"]["holds"];
  EXPECT_EQ(keeps[0]["holds"], CONTENDED_KEEPS);
  EXPECT_EQ(keeps[0]["at_least"], false);
  EXPECT_EQ(keeps[0]["lock"], "mutex kept");
  std::size_t at = scenario.output.find("kept ");
  ASSERT_NE(at, std::string::npos) << scenario.output;
  double own = std::stod(scenario.output.substr(at + 5)), told = keeps[0]["ns"].get<double>();
  EXPECT_GE(own, CONTENDED_KEEPS * CONTENDED_KEEPS_MS * 1e6);
  EXPECT_GE(told, own);
  EXPECT_LE(told, own * 1.5) << "where the thread was not on a CPU in between";
  // Taken free: from the first wait on.
  std::vector<json> holder = holds_of(report, "holds_kept");
  ASSERT_EQ(holder.size(), 1u) << report["lock_waits"]["holds"];
  EXPECT_EQ(holder[0]["holds"], CONTENDED_KEEPS);
  EXPECT_EQ(holder[0]["at_least"], true);
  EXPECT_LE(holder[0]["ns"], rows_of(report, "waits_and_keeps").at(0)["ns"])
      << "it waited until it was released, and a little longer";
  EXPECT_GE(holder[0]["ns"], CONTENDED_KEEPS * 100'000);
  // On the heap, with who allocated it; and nothing of locks for which nobody waited, of rwlocks and
  // conditions.
  ASSERT_EQ(holds_of(report, "waits_for_session").size(), 1u);
  EXPECT_EQ(holds_of(report, "waits_for_session")[0]["holds"], CONTENDED_ON_HEAP);
  EXPECT_TRUE(has_function(holds_of(report, "waits_for_session")[0]["allocated_at"], "makes_session"));
  EXPECT_EQ(holds_of(report, "waits_for_queue").at(0)["holds"], CONTENDED_TIMES);
  EXPECT_TRUE(holds_of(report, "reads_prices").empty() && holds_of(report, "writes_prices").empty());
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
