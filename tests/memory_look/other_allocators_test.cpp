// SPDX-License-Identifier: Apache-2.0
// Heaps of mimalloc and tcmalloc read from outside, as the distribution ships them, stripped.
#include <gmock/gmock.h>

#include "tests/memory_look/heap_harness.h"

namespace dwell::testing {
namespace {

constexpr std::size_t kNotTheProgrammers = 64;

struct Allocator {
  const char* name;
  std::string library;
};
void PrintTo(const Allocator& allocator, std::ostream* to) { *to << allocator.name; }

class OtherHeap : public ::testing::TestWithParam<Allocator> {
 protected:
  std::vector<std::string> preload() const { return {"LD_PRELOAD=" + GetParam().library}; }
};

TEST_P(OtherHeap, AtRestEqualsTheProgramsOwnList) {
  for (int runs = 0; runs < 2; ++runs) {  // where it lies is another place each time
    HeapBlocks program({target_binary("heap_blocks")}, "rest", preload());
    Walked walked = walk_heap(program.pid());
    ASSERT_TRUE(walked.found);
    EXPECT_EQ(walked.name, GetParam().name);
    EXPECT_TRUE(walked.in_order);
    EXPECT_EQ(missed(program.truth(), walked, true), 0u);
    EXPECT_LE(walked.live.size(), program.truth().live + kNotTheProgrammers);
    if (program.truth().tcmalloc_allocated) {
      EXPECT_EQ(walked.live_bytes, program.truth().tcmalloc_allocated);
    }
    for (const memory::heap::Checksum& check : walked.checksums) EXPECT_EQ(check.said, check.found) << check.name;
  }
}

TEST_P(OtherHeap, MissesNoBlockThatLivesWhileFourThreadsAllocate) {
  HeapBlocks program({target_binary("heap_blocks")}, "busy", preload());
  for (int looks = 0; looks < 3; ++looks) {
    unsigned long before = program.truth().operations;
    ASSERT_TRUE(eventually([&] { return program.truth().operations > before + 1000; }));
    Walked walked = walk_heap(program.pid());
    ASSERT_TRUE(walked.found);
    EXPECT_EQ(walked.name, GetParam().name);
    EXPECT_EQ(missed(program.truth(), walked, true), 0u);
  }
}

INSTANTIATE_TEST_SUITE_P(Allocators, OtherHeap,
                         ::testing::Values(
                             Allocator{"mimalloc 2", DWELL_MIMALLOC},
                             Allocator{"tcmalloc (gperftools)", DWELL_TCMALLOC}
                             ));

}  // namespace
}  // namespace dwell::testing
