// SPDX-License-Identifier: Apache-2.0
// Sampled recordings: frees cancel exactly, and estimates lie where their stated errors say.
#include "tests/targets/sampled.h"

#include <cmath>

#include "tests/end_to_end/truth.h"

namespace dwell::testing {
namespace {

const std::vector<Truth> kSampled = {SAMPLED_FUNCTIONS(HEAP_TRUTH)};

std::vector<std::string> options() { return {"--sample-bytes", std::to_string(SAMPLE_BYTES)}; }

struct Case {
  const char *name, *program, *library;
};

std::ostream& operator<<(std::ostream& out, const Case& one) { return out << one.name; }

// One run in fifteen thousand may lie outside.
constexpr double kErrors = 4;

class Sampling : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    DWELL_NEEDS_BPF();
    if (*GetParam().library && !is_installed(GetParam().library)) GTEST_SKIP() << GetParam().library << " is not installed";
    if (::access(target_binary(GetParam().program).c_str(), X_OK) != 0) GTEST_SKIP() << "musl-gcc is not installed";
  }
  std::vector<std::string> environment() const { return {std::string("LD_PRELOAD=") + GetParam().library}; }
};

TEST_P(Sampling, EstimatesWithinItsErrors) {
  Scenario scenario = record_scenario({target_binary(GetParam().program)}, options(), environment());
  expect_nothing_lost(scenario.report);
  for (const Truth& truth : kSampled) {
    std::vector<nlohmann::json> sites = sites_in(scenario.report, truth.function);
    double variance = 0;
    for (const nlohmann::json& site : sites)
      variance += std::pow(site["figures"]["retained_bytes_standard_error"].get<double>(), 2);
    EXPECT_NEAR(sum(sites, "retained_bytes"), truth.bytes, kErrors * std::sqrt(variance) + 0.5) << truth.function;
    // The error itself is no excuse: it is what so many samples allow.
    double chance = 1 - std::exp(-static_cast<double>(truth.bytes) / truth.blocks / SAMPLE_BYTES);
    double size = static_cast<double>(truth.bytes) / truth.blocks;
    double expected = size * std::sqrt(truth.blocks * (1 - chance) / chance);
    EXPECT_NEAR(std::sqrt(variance), expected, 0.5 * expected + 1) << truth.function;
  }
  // What the allocator takes for calls that were not sampled is still not the program's.
  expect_nothing_else(scenario.report, {}, "mapping");
}

TEST_P(Sampling, FreesCancelExactly) {
  Scenario scenario = record_scenario({target_binary(GetParam().program), "free"}, options(), environment());
  expect_nothing_lost(scenario.report);
  expect_no_surprise(scenario.report);
  for (const Truth& truth : kSampled) {
    std::vector<nlohmann::json> sites = sites_in(scenario.report, truth.function);
    EXPECT_GT(sum(sites, "allocated_bytes"), 0) << truth.function;
    EXPECT_EQ(sum(sites, "retained_bytes"), 0) << truth.function;
    EXPECT_EQ(sum(sites, "retained_blocks"), 0) << truth.function;
    EXPECT_EQ(sum(sites, "allocated_bytes"), sum(sites, "freed_bytes")) << truth.function;
  }
  expect_nothing_else(scenario.report, {}, "heap");
}

INSTANTIATE_TEST_SUITE_P(Truth, Sampling,
                         ::testing::Values(Case{"Glibc", "sampled", ""}, Case{"Musl", "sampled_musl", ""},
                                           Case{"Jemalloc", "sampled", "libjemalloc.so.2"},
                                           Case{"Tcmalloc", "sampled", "libtcmalloc_minimal.so.4"}),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace dwell::testing
