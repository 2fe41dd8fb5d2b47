// SPDX-License-Identifier: Apache-2.0
// Who opens descriptors, in a recording: each way to come to one, with the call site that did, exactly as often as the program
// says; what closes them; what leaks, and what does not.
#include <gmock/gmock.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/end_to_end/harness.h"
#include "tests/targets/opens.h"

namespace dwell::testing {
namespace {

using ::testing::HasSubstr;
using nlohmann::json;

const std::vector<std::string> kOnlyFiles = {"--only", "files"};

class Opens : public ::testing::Test {
 protected:
  void SetUp() override { DWELL_NEEDS_BPF(); }
};

struct Way {
  std::string name, kind, opening;
  int descriptors;  // a call
};
#define OPENS_WAY(function, kind, opening, descriptors) {#function, kind, opening, descriptors},
const Way kWays[] = {OPENS_WAYS(OPENS_WAY)};

struct Sum {
  double opened = 0, closed = 0, open = 0, left = 0;
  std::set<std::string> kinds, openings;
  bool leaks = false;
};

bool leads_to(const json& site, const std::string& function) {
  return std::ranges::any_of(site["stack"], [&](const json& frame) { return frame["function"] == function; });
}

Sum sum_of(const json& report, const std::string& function) {
  Sum sum;
  for (const json& site : report["descriptors"]["sites"]) {
    if (!leads_to(site, function)) continue;
    sum.opened += site["opened"].get<double>();
    sum.closed += site["closed"].get<double>();
    sum.open += site["open"].get<double>();
    sum.left += site["left_by_peer"].get<double>();
    sum.kinds.insert(site["kind"].get<std::string>());
    sum.openings.insert(site["opening"].get<std::string>());
    sum.leaks |= !site["leak"].is_null();
  }
  return sum;
}

void expect_agreement(const json& report) {
  ASSERT_FALSE(report["descriptors"]["checks"].empty());
  for (const json& check : report["descriptors"]["checks"]) {
    EXPECT_GT(check["agree"], 2) << check;
    EXPECT_EQ(check["gone"], 0) << check;
    EXPECT_EQ(check["unseen"], 0) << check;
  }
}

TEST_F(Opens, ByEachCallAreFoundAtTheirCallSite) {
  Scenario scenario = record_scenario({target_binary("opens"), "calls"}, kOnlyFiles);
  for (const Way& way : kWays) {
    if (scenario.output.find("without " + way.name) != std::string::npos) continue;
    Sum sum = sum_of(scenario.report, way.name);
    // Of what some of them need besides, nothing stays open.
    auto opened = [&](const std::string& opening) {
      double all = 0;
      for (const json& site : scenario.report["descriptors"]["sites"])
        if (leads_to(site, way.name) && site["kind"] == way.kind && site["opening"] == opening) all += site["opened"].get<double>();
      return all;
    };
    EXPECT_EQ(opened(way.opening), OPENS_TIMES * way.descriptors) << way.name;
    double ends = way.name == "by_accept" ? 2 : way.descriptors;  // the client's end
    EXPECT_EQ(sum.open, OPENS_KEPT * ends) << way.name;
  }
  EXPECT_EQ(sum_of(scenario.report, "for_close_range").closed, OPENS_RANGE);
  EXPECT_EQ(sum_of(scenario.report, "to_be_replaced").closed, OPENS_REPLACED);
  EXPECT_EQ(sum_of(scenario.report, "for_spawned").open, OPENS_SPAWNED);
  expect_agreement(scenario.report);
  expect_nothing_lost(scenario.report);
}

TEST_F(Opens, AnExecClosesThoseThatAreToBeClosed) {
  Scenario scenario = record_scenario({target_binary("opens"), "exec"}, kOnlyFiles);
  Sum closed = sum_of(scenario.report, "closed_by_exec"), kept = sum_of(scenario.report, "kept_by_exec");
  EXPECT_EQ(closed.opened, OPENS_CLOSED_BY_EXEC);
  EXPECT_EQ(closed.open, 0);
  EXPECT_EQ(kept.open, OPENS_KEPT_BY_EXEC);
  expect_agreement(scenario.report);
}

TEST_F(Opens, OfManyThreadsAtOnceAreCountedOneByOne) {
  Scenario scenario = record_scenario({target_binary("opens"), "storm"}, kOnlyFiles);
  Sum sum = sum_of(scenario.report, "in_the_storm");
  EXPECT_EQ(sum.opened, OPENS_STORM_THREADS * (OPENS_STORM_TIMES + 1));
  EXPECT_EQ(sum.open, OPENS_STORM_THREADS);
  expect_agreement(scenario.report);
  expect_nothing_lost(scenario.report);
}

// The pool and the cache beside it are none, and no more are the descriptors that it has for a moment.
TEST_F(Opens, OneForgottenInAThousandIsALeak) {
  TemporaryFolder folder;
  Program target({target_binary("opens"), "leak"});
  ASSERT_TRUE(target.wait_for_output("ready"));
  Recording recording(target.pid(), folder.file("r.dwell"), {"--only", "files", "-d", "22"});
  ASSERT_TRUE(recording.attached());
  target.write_line("go");
  EXPECT_EQ(recording.program().wait(), 0);
  json told = report(folder.file("r.dwell"));
  Sum forgets = sum_of(told, "forgets_one"), pool = sum_of(told, "fills_pool"), cache = sum_of(told, "caches");
  EXPECT_GT(forgets.opened, 8000);
  EXPECT_LT(forgets.open, forgets.opened / 500);
  EXPECT_TRUE(forgets.leaks);
  EXPECT_EQ(pool.open, OPENS_POOL);
  EXPECT_FALSE(pool.leaks);
  EXPECT_EQ(cache.open, OPENS_CACHE);
  EXPECT_GT(cache.closed, 100);
  EXPECT_FALSE(cache.leaks);
  expect_agreement(told);
  Finished text = run({dwell_binary(), "report", folder.file("r.dwell")});
  EXPECT_THAT(text.output, HasSubstr("Descriptors leak: "));
}

TEST_F(Opens, ConnectionsLeftByTheOtherSideAreJoinedWithWhoAcceptedThem) {
  json report = record_scenario({target_binary("opens"), "left"}, kOnlyFiles).report;
  EXPECT_EQ(sum_of(report, "by_accept").left, OPENS_LEFT);
}

TEST_F(Opens, OfAChildBeginWithItsParents) {
  TemporaryFolder folder;
  Program target({target_binary("opens"), "fork"});
  ASSERT_TRUE(target.wait_for_output("ready"));
  Recording recording(target.pid(), folder.file("r.dwell"), {"--only", "files", "--follow-forks"});
  ASSERT_TRUE(recording.attached());
  target.write_line("go");
  ASSERT_TRUE(recording.program().wait_for_error("was forked by"));
  target.write_line("child");
  ASSERT_TRUE(target.wait_for_output("done"));
  EXPECT_EQ(recording.stop(), 0);
  json report = testing::report(folder.file("r.dwell"));
  ASSERT_EQ(report["processes"].size(), 2u);
  double inherited = 0, of_child = 0;
  for (const json& site : report["descriptors"]["sites"]) {
    if (site["process"] == 1 && leads_to(site, "by_parent")) inherited += site["open"].get<double>();
    if (site["process"] == 1 && leads_to(site, "by_child")) of_child += site["open"].get<double>();
  }
  EXPECT_EQ(inherited, 1);
  EXPECT_EQ(of_child, 1);
  EXPECT_EQ(sum_of(report, "by_parent").open, 3);
  expect_agreement(report);
}

TEST_F(Opens, OfAThreadWithATableOfItsOwnAreCountedAsMissing) {
  json report = record_scenario({target_binary("opens"), "own_table"}, kOnlyFiles).report;
  EXPECT_EQ(sum_of(report, "in_own_table").opened, 0);
  expect_agreement(report);
  EXPECT_THAT(report["losses"].dump(), HasSubstr("a table of their own"));
}

TEST_F(Opens, AreAViewToExport) {
  TemporaryFolder folder;
  Program target({target_binary("opens"), "storm"});
  ASSERT_TRUE(target.wait_for_output("ready"));
  Recording recording(target.pid(), folder.file("r.dwell"), kOnlyFiles);
  ASSERT_TRUE(recording.attached());
  target.write_line("go");
  ASSERT_TRUE(target.wait_for_output("done"));
  EXPECT_EQ(recording.stop(), 0);
  Finished folded = run({dwell_binary(), "export", folder.file("r.dwell"), "--view", "files:open", "--format", "folded"});
  EXPECT_EQ(folded.exit, 0) << folded.errors;
  EXPECT_THAT(folded.output, HasSubstr("in_the_storm"));
}

}  // namespace
}  // namespace dwell::testing
