// SPDX-License-Identifier: Apache-2.0
// The heap of a program without a heap profile, by samples, against what it is known to keep. DWELL_GO_RETAIN
// may name builds by other versions of Go.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "tests/end_to_end/go/builds.h"
#include "tests/end_to_end/harness.h"
#include "userspace/base/text.h"

namespace dwell::testing {
namespace {

std::vector<std::string> targets() { return builds_of({"retain"}, "DWELL_GO_RETAIN"); }

struct Site {
  double in_use = 0, in_use_error = 0, allocated = 0, allocated_error = 0;
};

// What was allocated by this function itself.
Site site_of(const nlohmann::json& heap, const std::string& function) {
  Site sum;
  for (const auto& site : heap["sites"]) {
    if (site["stack"].empty() || site["stack"][0]["function"] != function) continue;
    EXPECT_TRUE(site["incomplete"].is_null()) << site.dump(1);
    sum.in_use += site["inuse_bytes"].get<double>();
    sum.in_use_error = std::hypot(sum.in_use_error, site["inuse_bytes_error"].get<double>());
    sum.allocated += site["alloc_bytes"].get<double>();
    sum.allocated_error = std::hypot(sum.allocated_error, site["alloc_bytes_error"].get<double>());
  }
  return sum;
}

// "main.keepInlined < main.handleInlined < main.main", with a mark at what was inlined.
std::string calls_of(const nlohmann::json& site) {
  std::string calls;
  for (const nlohmann::json& frame : site["stack"]) {
    std::string function = frame["function"];
    if (function.rfind("runtime.", 0) == 0) continue;
    calls += (calls.empty() ? "" : " < ") + function + (frame["inlined"] == true ? "*" : "");
  }
  return calls;
}

class GoSampledHeap : public ::testing::TestWithParam<std::string> {};

// No flag asks for it, and nobody is told of a profile that is missing.
TEST(GoSampledHeapReport, StandsWhereTheProfileIsMissing) {
  DWELL_NEEDS_BPF();
  Program target({target_binary("go/retain")});
  ASSERT_TRUE(target.wait_for_output("ready"));
  TemporaryFolder folder;
  Finished recorded = run({dwell_binary(), "record", std::to_string(target.pid()), "-d", "300ms", "-o", folder.file("r.dwell")});
  ASSERT_EQ(recorded.exit, 0) << recorded.errors;
  Finished whole = run({dwell_binary(), "report", folder.file("r.dwell")});
  EXPECT_NE(whole.output.find("Go heap by samples"), std::string::npos) << whole.output;
  EXPECT_EQ(whole.output.find("the program keeps none"), std::string::npos) << whole.output;
  EXPECT_NE(recorded.output.find("go:waits (--go-blocked)"), std::string::npos) << recorded.output;
}

TEST_P(GoSampledHeap, TellsWhatIsKeptAndWhatIsGarbage) {
  DWELL_NEEDS_BPF();
  Scenario scenario = record_scenario({GetParam()}, {});
  const nlohmann::json& heap = scenario.report["go_heap"];
  ASSERT_TRUE(heap.is_object()) << scenario.report.dump(1);
  EXPECT_GE(heap["collections"], 5);
  EXPECT_EQ(heap["lost"], 0);

  Site small = site_of(heap, "main.keepSmall"), large = site_of(heap, "main.keepLarge");
  Site mixed = site_of(heap, "main.keepMixed"), garbage = site_of(heap, "main.drop");
  std::cout << "watched " << heap["watched_ns"].get<double>() / heap["duration_ns"].get<double>()
            << ", samples " << heap["total"]["samples"] << "; small " << small.in_use << " ± "
            << small.in_use_error << ", large " << large.in_use << " ± " << large.in_use_error << ", mixed "
            << mixed.in_use << " ± " << mixed.in_use_error << ", garbage " << garbage.in_use << " of "
            << garbage.allocated << " ± " << garbage.allocated_error << "\n";
  struct Expected {
    Site site;
    double in_use;
  };
  for (const Expected& expected :
       {Expected{small, 80'000 * 96.0}, {large, 80 * 40'960.0}, {mixed, 4'000 * 1'024.0}}) {
    EXPECT_NEAR(expected.site.in_use, expected.in_use,
                4 * expected.site.in_use_error + 0.03 * expected.in_use);
    EXPECT_NEAR(expected.site.allocated, expected.in_use,
                4 * expected.site.allocated_error + 0.03 * expected.in_use);
    EXPECT_LT(expected.site.in_use_error, 0.3 * expected.in_use) << "an error that says nothing";
  }
  // The program is stripped: the functions of inlined calls are known by its own table alone.
  std::set<std::string> stacks;
  for (const nlohmann::json& site : heap["sites"]) stacks.insert(calls_of(site));
  EXPECT_TRUE(stacks.contains("main.keepInlined* < main.handleInlined* < main.main")) << nlohmann::json(stacks).dump(1);

  std::size_t said = scenario.output.find("dropped ");
  ASSERT_NE(said, std::string::npos);
  double dropped = std::strtod(scenario.output.c_str() + said + 8, nullptr) * 1'024;
  EXPECT_NEAR(garbage.allocated, dropped, 4 * garbage.allocated_error + 0.03 * dropped);
  EXPECT_LT(garbage.in_use, 0.03 * dropped);
}

INSTANTIATE_TEST_SUITE_P(Targets, GoSampledHeap, ::testing::ValuesIn(targets()));

}  // namespace
}  // namespace dwell::testing
