// SPDX-License-Identifier: Apache-2.0
// What functions of the program's own take and give back: each way to say which value it is, exactly as often as the program says.
#include "tests/targets/pairs.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/end_to_end/harness.h"
#include "tests/pairs/sites.h"
#include "tests/targets/contended.h"

namespace dwell::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using nlohmann::json;

class Pairs : public ::testing::Test {
 protected:
  void SetUp() override { DWELL_NEEDS_BPF(); }
};

TEST_F(Pairs, OfCAreCountedExactly) {
  Scenario scenario = record_scenario({target_binary("pairs_target"), "calls"},
                                      only({"conn=conn_get,conn_get_default:conn_put(arg2):arg1", "obj=obj_new,obj_ref(arg1):obj_unref", "buf=buf_open(*arg2):buf_close",
                                            "slot=slot_take(return>=0):slot_drop"}));
  const json& report = scenario.report;
  expect_nothing_lost(report);
  ASSERT_EQ(report["pairs"]["pairs"].size(), 4u) << report;

  SiteSum some = taken_by(report, "conn", "forgets_some");
  expect(some, PAIRS_TAKEN, PAIRS_TAKEN - PAIRS_KEPT);
  EXPECT_EQ(some.held_size, PAIRS_KEPT * PAIRS_SIZE);
  expect(taken_by(report, "conn", "takes_the_default"), PAIRS_FORWARDED, PAIRS_FORWARDED);
  expect(taken_by(report, "conn", "in_a_thread"), PAIRS_THREADS * PAIRS_THREAD_TIMES, PAIRS_THREADS * PAIRS_THREAD_TIMES);
  json conn = pair_named(report, "conn");
  EXPECT_EQ(conn["unknown"], PAIRS_BEFORE);
  EXPECT_EQ(conn["held"], PAIRS_KEPT);
  EXPECT_THAT(conn["peak"].get<int>(), AllOf(::testing::Ge(PAIRS_KEPT + 1), ::testing::Le(PAIRS_KEPT + PAIRS_THREADS)));

  expect(taken_by(report, "obj", "makes"), PAIRS_OBJECTS, PAIRS_OBJECTS);
  expect(taken_by(report, "obj", "holds"), PAIRS_OBJECTS, PAIRS_OBJECTS - PAIRS_FORGOTTEN);
  EXPECT_EQ(pair_named(report, "obj")["unknown"], 0);

  expect(taken_by(report, "buf", "stores"), PAIRS_STORED, PAIRS_STORED - PAIRS_STORED_KEPT);
  SiteSum slots = taken_by(report, "slot", "numbers");
  expect(slots, PAIRS_SLOTS, PAIRS_SLOTS - PAIRS_SLOTS_KEPT);
  for (const json& site : report["pairs"]["sites"])
    if (site["pair"] == "slot") EXPECT_EQ(site["values"], json({0})) << "a number of 0 is a slot";
}

double lived_of(const json& report, const std::string& function) {
  double lived_ns = 0;
  for (const json& site : report["pairs"]["sites"])
    if (std::ranges::any_of(site["stack"], [&](const json& frame) { return frame["function"] == function; }))
      lived_ns += site["lived_ns"].get<double>();
  return lived_ns;
}

// From the return of who locks to the call of who unlocks, and not while a thread waits for a lock or a
// condition.
TEST_F(Pairs, OfLocksTellForHowLongTheyWereHeld) {
  constexpr int kFree = 1000;
  Scenario scenario = record_scenario(
      {target_binary("contended"), std::to_string(kFree)},
      only({"lock=pthread_mutex_lock,pthread_cond_wait:pthread_mutex_unlock,pthread_cond_wait"}));
  const json& report = scenario.report;
  expect_nothing_lost(report);
  expect(taken_by(report, "lock", "waits_for_queue"), kFree + CONTENDED_TIMES,
         kFree + CONTENDED_TIMES);
  expect(taken_by(report, "lock", "holds_kept"), CONTENDED_KEEPS, CONTENDED_KEEPS);
  expect(taken_by(report, "lock", "waits_and_keeps"), CONTENDED_KEEPS, CONTENDED_KEEPS);
  std::size_t at = scenario.output.find("kept ");
  ASSERT_NE(at, std::string::npos) << scenario.output;
  double own = std::stod(scenario.output.substr(at + 5));
  EXPECT_GE(lived_of(report, "waits_and_keeps"), own);
  EXPECT_LE(lived_of(report, "waits_and_keeps"), own * 1.5);
  // Locked once, and regained once, for each wait; the waits themselves, of 200 us and more, are no part of
  // it.
  expect(taken_by(report, "lock", "waits_until_ready"), 2 * CONTENDED_CONDITIONS, 2 * CONTENDED_CONDITIONS);
  EXPECT_EQ(pair_named(report, "lock")["unknown"], 0);
}

TEST_F(Pairs, SeenAtReturnInstructionsAreTheSame) {
  std::vector<std::string> options = only({"conn=conn_get,conn_get_default:conn_put(arg2)"});
  options.emplace_back("--no-return-probes");
  Scenario scenario = record_scenario({target_binary("pairs_target"), "calls"}, options);
  expect(taken_by(scenario.report, "conn", "forgets_some"), PAIRS_TAKEN, PAIRS_TAKEN - PAIRS_KEPT);
  expect(taken_by(scenario.report, "conn", "takes_the_default"), PAIRS_FORWARDED, PAIRS_FORWARDED);
  expect_nothing_lost(scenario.report);
}

// Overloads and all types by the name without arguments; exceptions go through; one overload calls the other.
TEST_F(Pairs, OfCxxByTheNameWithoutArguments) {
  Scenario scenario = record_scenario({target_binary("pairs_cxx_target")}, only({"conn=service::Pool::get:service::Pool::put(arg2)"}));
  const json& report = scenario.report;
  EXPECT_THAT(scenario.output, HasSubstr("caught " + std::to_string(PAIRS_CXX_THROWN)));
  expect(taken_by(report, "conn", "by_number"), PAIRS_CXX_BY_NUMBER, PAIRS_CXX_BY_NUMBER - PAIRS_CXX_KEPT);
  expect(taken_by(report, "conn", "by_name"), PAIRS_CXX_BY_NAME, PAIRS_CXX_BY_NAME);
  expect(taken_by(report, "conn", "thrown"), 0, 0);
  expect(taken_by(report, "conn", "of_others"), PAIRS_CXX_OTHER, 0);
  EXPECT_EQ(pair_named(report, "conn")["take_functions"].size(), 3u) << "two overloads, and one of the other type";
  expect_nothing_lost(report);
}

TEST_F(Pairs, OfCxxByArgumentsAndTypes) {
  std::string pool = "service::Pool<service::Connection>::";
  Scenario scenario = record_scenario({target_binary("pairs_cxx_target")}, only({"conn=" + pool + "get(int):" + pool + "put*(arg2)"}));
  EXPECT_EQ(pair_named(scenario.report, "conn")["take_functions"].size(), 1u) << scenario.report["pairs"];
  expect(taken_by(scenario.report, "conn", "by_number"), PAIRS_CXX_BY_NUMBER, PAIRS_CXX_BY_NUMBER - PAIRS_CXX_KEPT);
  expect(taken_by(scenario.report, "conn", "of_others"), 0, 0);
}

// One in a thousand is found within half a minute, with its call site; the cache beside it is none.
TEST_F(Pairs, OneForgottenInAThousandLeaks) {
  TemporaryFolder folder;
  Program program({target_binary("pairs_target"), "leak"});
  ASSERT_TRUE(program.wait_for_output("leaking"));
  std::string path = folder.file("leak.dwell");
  Finished record = run({dwell_binary(), "record", std::to_string(program.pid()), "-o", path, "-d", "24", "--only", "pairs", "--pair", "conn=conn_get:conn_put(arg2)"});
  ASSERT_EQ(record.exit, 0) << record.errors;
  json told = report(path);
  EXPECT_TRUE(taken_by(told, "conn", "forgets_one").leaks) << told["pairs"];
  EXPECT_FALSE(taken_by(told, "conn", "caches").leaks) << told["pairs"];
  EXPECT_THAT(record.output, AllOf(HasSubstr("conn leaks:"), HasSubstr("forgets_one")));
  Finished folded = run({dwell_binary(), "export", path, "--view", "pairs:held", "-f", "folded"});
  EXPECT_THAT(folded.output, HasSubstr("forgets_one"));
}

TEST_F(Pairs, ThatCannotBeAreRefusedBeforeAnythingIsAttached) {
  Program program({target_binary("pairs_target"), "leak"});
  ASSERT_TRUE(program.wait_for_output("leaking"));
  auto refused = [&](const std::string& pair) {
    TemporaryFolder folder;
    Finished record = run({dwell_binary(), "record", std::to_string(program.pid()), "-d", "1", "-o", folder.file("r.dwell"), "--pair", pair});
    EXPECT_EQ(record.exit, 2) << record.errors;
    return record.errors;
  };
  EXPECT_THAT(refused("conn=con_get:conn_put"), AllOf(HasSubstr("no function 'con_get'"), HasSubstr("did you mean conn_get?")));
  EXPECT_THAT(refused("conn=libc.so.6:conn_get:conn_put"), HasSubstr("in libc.so.6"));
  EXPECT_THAT(refused("conn=conn_get"), HasSubstr("gives back is missing"));
  EXPECT_THAT(refused("conn=conn_get:conn_put(return)"), HasSubstr("which argument it is"));
}

}  // namespace
}  // namespace dwell::testing
