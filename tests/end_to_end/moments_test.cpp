// SPDX-License-Identifier: Apache-2.0
// Code that is mapped, run and unmapped within a moment keeps its own name, and first stacks are whole.
#include "tests/end_to_end/harness.h"
#include "tests/targets/first_stacks.h"
#include "tests/targets/plugin.h"

namespace dwell::testing {
namespace {

struct Plugin {
  std::string function;
  int bytes;
};
#define ONE_PLUGIN(name, bytes) {"leak_in_" #name, bytes},
const std::vector<Plugin> kPlugins = {PLUGINS(ONE_PLUGIN)};

std::string targets_folder() {
  std::string binary = target_binary("plugin_host");
  return binary.substr(0, binary.rfind('/'));
}

nlohmann::json record_plugins(int cycles, int stay_us) {
  Scenario scenario = record_scenario({target_binary("plugin_host"), targets_folder(), std::to_string(cycles), std::to_string(stay_us)});
  return scenario.report;
}

class Moments : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override { DWELL_NEEDS_BPF(); }
};

// Four plugins of the same layout come to lie in the same place: each leak has its own name, or none.
TEST_P(Moments, EachPluginsLeaksAreItsOwn) {
  constexpr int kCycles = 25;
  nlohmann::json report = record_plugins(kCycles, GetParam());
  double named = 0;
  for (const Plugin& plugin : kPlugins) {
    for (const nlohmann::json& site : sites_in(report, plugin.function)) {
      double blocks = site["figures"]["retained_blocks"], bytes = site["figures"]["retained_bytes"];
      EXPECT_EQ(bytes, blocks * plugin.bytes) << plugin.function << " is said to keep what another plugin does";
      named += blocks;
    }
  }
  EXPECT_GE(named, 4 * kCycles * 0.9) << "few may go without a name";
}
INSTANTIATE_TEST_SUITE_P(Staying, Moments, ::testing::Values(0, 1'000), [](const auto& stay) {
  return std::to_string(stay.param) + "us";
});

class FirstStacks : public ::testing::Test {
 protected:
  void SetUp() override { DWELL_NEEDS_BPF(); }
  static std::vector<nlohmann::json> of_bytes(const nlohmann::json& report, double bytes) {
    std::vector<nlohmann::json> found;
    for (const nlohmann::json& site : report["sites"])
      if (site["kind"] == "heap" && site["figures"]["retained_bytes"] == bytes) found.push_back(site);
    return found;
  }
  static bool has(const nlohmann::json& site, const std::string& function) {
    for (const nlohmann::json& frame : site["stack"])
      if (frame["function"] == function) return true;
    return false;
  }
};

TEST_F(FirstStacks, ThroughSignalsPluginsAndDeepRecursionAreWhole) {
  nlohmann::json report = record_scenario({target_binary("first_stacks"), targets_folder()}).report;
  for (auto [bytes, caller] : {std::pair(IN_HANDLER_BYTES, "interrupted"), std::pair(1000, "plugin_manager")}) {
    std::vector<nlohmann::json> sites = of_bytes(report, bytes);
    ASSERT_EQ(sites.size(), 1u) << bytes;
    EXPECT_TRUE(sites[0]["incomplete"].is_null()) << bytes << sites[0];
    EXPECT_TRUE(has(sites[0], caller)) << sites[0];
    EXPECT_TRUE(has(sites[0], "main")) << sites[0];
  }
  std::vector<nlohmann::json> sites = of_bytes(report, IN_RECURSION_BYTES);
  ASSERT_EQ(sites.size(), 2u) << "two handlers above the same recursion";
  for (const nlohmann::json& site : sites) {
    EXPECT_TRUE(site["incomplete"].is_null()) << site["incomplete"];
    EXPECT_EQ(site["recursion_folded"], true);
    EXPECT_TRUE(has(site, "main"));
    EXPECT_NE(has(site, "parse_request"), has(site, "parse_reply"));
  }
}

}  // namespace
}  // namespace dwell::testing
