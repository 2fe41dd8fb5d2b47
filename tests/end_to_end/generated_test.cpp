// SPDX-License-Identifier: Apache-2.0
// Stacks through code that did not exist a moment ago, and of which nothing tells.
#include "tests/end_to_end/harness.h"
#include "tests/targets/generated_code.h"

namespace dwell::testing {
namespace {

TEST(GeneratedCode, IsWalkedThroughBeforeItsMappingIsKnown) {
  DWELL_NEEDS_BPF();
  Scenario scenario = record_scenario({target_binary("generated_code")});
  expect_nothing_lost(scenario.report);
  std::vector<nlohmann::json> sites = sites_in(scenario.report, "keep_block");
  EXPECT_EQ(sum(sites, "retained_blocks"), GENERATED_PIECES);
  EXPECT_EQ(sum(sites, "retained_bytes"), GENERATED_PIECES * GENERATED_BYTES);
  EXPECT_EQ(sum(sites_in(scenario.report, "run_generated"), "retained_blocks"), GENERATED_PIECES)
      << "some stacks end in the generated code instead of going on to its caller";
  EXPECT_EQ(scenario.report["stacks"]["complete_share"], 1.0) << scenario.report["stacks"];
}

}  // namespace
}  // namespace dwell::testing
