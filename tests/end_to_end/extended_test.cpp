// SPDX-License-Identifier: Apache-2.0
// jemalloc's mallocx, tcmalloc's tc_malloc, mimalloc's mi_malloc and their relatives; a program's own allocator.
#include "tests/targets/extended_functions.h"

#include "tests/end_to_end/truth.h"
#include "tests/targets/own_allocator.h"

namespace dwell::testing {
namespace {

struct Case {
  std::string allocator, library;
  std::vector<Truth> truth;
};
std::ostream& operator<<(std::ostream& out, const Case& one) { return out << one.allocator; }

class ExtendedFunctions : public ::testing::TestWithParam<Case> {};

TEST_P(ExtendedFunctions, KeepWhatTheyKeep) {
  DWELL_NEEDS_BPF();
  if (!is_installed(GetParam().library)) GTEST_SKIP() << GetParam().library << " is not installed";
  Scenario scenario = record_scenario({target_binary("extended_functions"), GetParam().allocator}, {},
                                      {"LD_PRELOAD=" + GetParam().library});
  expect_nothing_lost(scenario.report);
  expect_no_surprise(scenario.report);
  expect_kept(scenario.report, GetParam().truth);
  expect_nothing_else(scenario.report, GetParam().truth, "heap");
}

// With C23's free_sized and free_aligned_sized, which no C library here has yet.
TEST(OwnAllocator, IsTheProgramsAllocator) {
  DWELL_NEEDS_BPF();
  const std::vector<Truth> kTruth = {OWN_ALLOCATOR_FUNCTIONS(HEAP_TRUTH)};
  Scenario scenario = record_scenario({target_binary("own_allocator")});
  expect_nothing_lost(scenario.report);
  expect_no_surprise(scenario.report, true);  // its free_sized calls free, and the block is gone by then
  expect_kept(scenario.report, kTruth);
  expect_nothing_else(scenario.report, kTruth, "heap");
}

INSTANTIATE_TEST_SUITE_P(Truth, ExtendedFunctions,
                         ::testing::Values(Case{"jemalloc", "libjemalloc.so.2", {JEMALLOC_FUNCTIONS(HEAP_TRUTH)}},
                                           Case{"tcmalloc", "libtcmalloc_minimal.so.4", {TCMALLOC_FUNCTIONS(HEAP_TRUTH)}},
                                           Case{"mimalloc", "libmimalloc.so.2", {MIMALLOC_FUNCTIONS(HEAP_TRUTH)}}),
                         [](const auto& test) { return test.param.allocator; });

}  // namespace
}  // namespace dwell::testing
