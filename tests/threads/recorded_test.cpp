// SPDX-License-Identifier: Apache-2.0
// Threads over time: who creates them, and what becomes of them.
#include <fmt/core.h>

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
  Scenario scenario = record_scenario({target_binary(program)}, {"--threads"});
  expect_nothing_lost(scenario.report);
  auto expect = [&](const std::string& function, int created, int alive, int unjoined) {
    json site = site_of(scenario.report, function);
    if (site.is_null()) return;
    EXPECT_EQ(site["created"], created) << function;
    EXPECT_EQ(site["alive"], alive) << function;
    EXPECT_EQ(site["ended"], created - alive) << function;
    EXPECT_EQ(site["unjoined"], unjoined) << function;
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
  Finished folded = run({dwell_binary(), "export", file, "--view", "threads", "-f", "folded"});
  EXPECT_NE(folded.output.find("take_two"), std::string::npos) << folded.output;
  EXPECT_EQ(run({dwell_binary(), "export", file, "--view", "thread-sites", "-f", "folded"}).exit, 0);
}

}  // namespace
}  // namespace dwell::testing
