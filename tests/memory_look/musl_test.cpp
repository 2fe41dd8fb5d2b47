// SPDX-License-Identifier: Apache-2.0
// musl's heap read from outside, dynamic and static, against the list that the program keeps of its own blocks.
#include <gmock/gmock.h>

#include "tests/memory_look/heap_harness.h"

namespace dwell::testing {
namespace {

// What the C library and its loader allocated for themselves.
constexpr std::size_t kNotTheProgrammers = 32;

class MuslHeap : public ::testing::TestWithParam<const char*> {};

TEST_P(MuslHeap, AtRestEqualsTheProgramsOwnListToTheByte) {
  HeapBlocks program({target_binary(GetParam())}, "rest");
  Walked walked = walk_heap(program.pid());
  ASSERT_TRUE(walked.found);
  EXPECT_EQ(walked.name, "musl mallocng");
  EXPECT_TRUE(walked.in_order);
  EXPECT_EQ(missed(program.truth(), walked), 0u);
  EXPECT_LE(walked.live.size(), program.truth().live + kNotTheProgrammers);
  for (const memory::heap::Checksum& check : walked.checksums) EXPECT_EQ(check.said, check.found) << check.name;
}

TEST_P(MuslHeap, MissesNoBlockThatLivesWhileFourThreadsAllocate) {
  HeapBlocks program({target_binary(GetParam())}, "busy");
  for (int looks = 0; looks < 3; ++looks) {
    unsigned long before = program.truth().operations;
    ASSERT_TRUE(eventually([&] { return program.truth().operations > before + 1000; }));
    Walked walked = walk_heap(program.pid());
    ASSERT_TRUE(walked.found);
    EXPECT_EQ(missed(program.truth(), walked), 0u);
    EXPECT_LE(walked.live.size(), program.truth().live + HB_THREADS * HB_CHURN + 1000u);
  }
}

INSTANTIATE_TEST_SUITE_P(Ways, MuslHeap, ::testing::Values("heap_blocks_musl", "heap_blocks_musl_static"));

}  // namespace
}  // namespace dwell::testing
