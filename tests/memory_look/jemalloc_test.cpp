// SPDX-License-Identifier: Apache-2.0
// jemalloc's heap read from outside, as the distribution ships it: stripped.
#include <gmock/gmock.h>

#include "tests/memory_look/heap_harness.h"

namespace dwell::testing {
namespace {

constexpr std::size_t kNotTheProgrammers = 32;
// What jemalloc allocates for the cache of each thread counts as allocated in its statistics, and as metadata for us.
constexpr std::uint64_t kCaches = (HB_THREADS + 1) * 28672;
const std::vector<std::string> kPreload{"LD_PRELOAD=" DWELL_JEMALLOC};

TEST(JemallocHeap, AtRestEqualsTheProgramsOwnListAndItsStatistics) {
  for (int runs = 0; runs < 2; ++runs) {  // where it lies is another place each time
    HeapBlocks program({target_binary("heap_blocks")}, "rest", kPreload);
    Walked walked = walk_heap(program.pid());
    ASSERT_TRUE(walked.found);
    EXPECT_EQ(walked.name, "jemalloc 5.3");
    EXPECT_TRUE(walked.in_order);
    EXPECT_EQ(missed(program.truth(), walked), 0u);
    EXPECT_LE(walked.live.size(), program.truth().live + kNotTheProgrammers);
    EXPECT_EQ(walked.live_bytes + walked.cached_bytes + kCaches, program.truth().jemalloc_allocated);
    for (const memory::heap::Checksum& check : walked.checksums) EXPECT_EQ(check.said, check.found) << check.name;
  }
}

#ifdef DWELL_HAS_STATIC_JEMALLOC
class InTheProgram : public ::testing::TestWithParam<const char*> {};

TEST_P(InTheProgram, IsReadThoughItIsStripped) {
  HeapBlocks program({target_binary(GetParam())}, "rest");
  Walked walked = walk_heap(program.pid());
  ASSERT_TRUE(walked.found);
  EXPECT_EQ(walked.name, "jemalloc 5.3");
  EXPECT_EQ(missed(program.truth(), walked), 0u);
  EXPECT_EQ(walked.live_bytes + walked.cached_bytes + kCaches, program.truth().jemalloc_allocated);
}
INSTANTIATE_TEST_SUITE_P(JemallocHeap, InTheProgram, ::testing::Values("heap_blocks_jemalloc", "heap_blocks_prefixed"),
                         [](const auto& program) { return std::string(program.param); });
#endif

TEST(JemallocHeap, MissesNoBlockThatLivesWhileFourThreadsAllocate) {
  HeapBlocks program({target_binary("heap_blocks")}, "busy", kPreload);
  for (int looks = 0; looks < 3; ++looks) {
    unsigned long before = program.truth().operations;
    ASSERT_TRUE(eventually([&] { return program.truth().operations > before + 1000; }));
    Walked walked = walk_heap(program.pid());
    ASSERT_TRUE(walked.found);
    EXPECT_EQ(missed(program.truth(), walked), 0u);
    EXPECT_LE(walked.live.size(), program.truth().live + HB_THREADS * HB_CHURN + 1000u);
  }
}

}  // namespace
}  // namespace dwell::testing
