// SPDX-License-Identifier: Apache-2.0
// glibc's heap read from outside, against the list that the program keeps of its own blocks.
#include <gmock/gmock.h>

#include "tests/memory_look/heap_harness.h"

namespace dwell::testing {
namespace {

using ::testing::StartsWith;

// Thread caches, thread-local data, and what the C library allocated for itself.
constexpr std::size_t kNotTheProgrammers = 32;

struct Case {
  const char* program;
  std::vector<std::string> environment;
};

class GlibcHeap : public ::testing::TestWithParam<Case> {};

TEST_P(GlibcHeap, AtRestEqualsTheProgramsOwnListToTheByte) {
  HeapBlocks program({target_binary(GetParam().program)}, "rest", GetParam().environment);
  Walked walked = walk_heap(program.pid());
  ASSERT_TRUE(walked.found);
  EXPECT_THAT(walked.name, StartsWith("glibc"));
  EXPECT_TRUE(walked.in_order);
  EXPECT_EQ(missed(program.truth(), walked), 0u);
  EXPECT_GE(walked.live.size(), program.truth().live);
  EXPECT_LE(walked.live.size(), program.truth().live + kNotTheProgrammers);
  EXPECT_EQ(walked.quality.lost_bytes, 0u);
  EXPECT_EQ(walked.quality.retries, 0u);
  EXPECT_EQ(walked.system_bytes, program.truth().arena);
  EXPECT_EQ(walked.free_bytes, program.truth().free_bytes);
  ASSERT_FALSE(walked.checksums.empty());
  for (const memory::heap::Checksum& check : walked.checksums) EXPECT_EQ(check.said, check.found) << check.name;
  EXPECT_EQ(walked.checksums[0].found, program.truth().mapped_blocks);
}

TEST_P(GlibcHeap, MissesNoBlockThatLivesWhileFourThreadsAllocate) {
  HeapBlocks program({target_binary(GetParam().program)}, "busy", GetParam().environment);
  for (int looks = 0; looks < 3; ++looks) {
    unsigned long before = program.truth().operations;
    ASSERT_TRUE(eventually([&] { return program.truth().operations > before + 1000; }));
    Walked walked = walk_heap(program.pid());
    ASSERT_TRUE(walked.found);
    EXPECT_EQ(missed(program.truth(), walked), 0u);
    EXPECT_LE(walked.live.size(), program.truth().live + HB_THREADS * HB_CHURN + 1000u);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Ways, GlibcHeap,
    ::testing::Values(Case{"heap_blocks", {}}, Case{"heap_blocks_static", {}},
                      Case{"heap_blocks", {"GLIBC_TUNABLES=glibc.malloc.tcache_count=0"}},
                      Case{"heap_blocks", {"GLIBC_TUNABLES=glibc.malloc.arena_max=1"}},
                      Case{"heap_blocks", {"GLIBC_TUNABLES=glibc.malloc.hugetlb=1"}},
                      Case{"heap_blocks", {"GLIBC_TUNABLES=glibc.malloc.mmap_threshold=20000"}}));

}  // namespace
}  // namespace dwell::testing
