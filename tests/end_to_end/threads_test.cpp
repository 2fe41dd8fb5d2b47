// SPDX-License-Identifier: Apache-2.0
// Threads that end, that free each other's blocks at full speed, and that signals interrupt.
#include "tests/targets/threads.h"

#include "tests/end_to_end/truth.h"

namespace dwell::testing {
namespace {

const std::vector<Truth> kThreads = {THREAD_FUNCTIONS(HEAP_TRUTH)};

struct Calls {
  std::string function;
  int allocations, frees;
};
#define CALLS(function, allocations, frees) {#function, allocations, frees},
const std::vector<Calls> kCalls = {THREAD_CALLS(CALLS)};

class Threads : public ::testing::TestWithParam<std::string> {};

TEST_P(Threads, LoseNothingToEachOther) {
  DWELL_NEEDS_BPF();
  Scenario scenario = record_scenario({target_binary("threads")}, {"--attach-method", GetParam()});
  expect_nothing_lost(scenario.report);
  expect_no_surprise(scenario.report, true);
  expect_kept(scenario.report, kThreads);
  for (const Calls& calls : kCalls) {
    std::vector<nlohmann::json> sites = sites_in(scenario.report, calls.function);
    EXPECT_EQ(sum(sites, "allocations"), calls.allocations) << calls.function;
    EXPECT_EQ(sum(sites, "frees"), calls.frees) << calls.function;
  }
  EXPECT_EQ(sum(sites_in(scenario.report, "map_and_unmap", "mapping"), "allocations"), WORKERS * MAPPINGS);
  EXPECT_EQ(sum(sites_in(scenario.report, "map_and_unmap", "mapping"), "retained_bytes"), 0);
}

INSTANTIATE_TEST_SUITE_P(Truth, Threads, ::testing::Values("session", "multi", "perf"),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace dwell::testing
