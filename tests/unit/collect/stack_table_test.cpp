// SPDX-License-Identifier: Apache-2.0
// What the table does when there is no room for more: stacks get shorter, and nothing goes uncounted.
#include "userspace/collect/stack_table.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include "userspace/base/output_file.h"

namespace dwell {
namespace {

class StackTableTest : public testing::Test {
 protected:
  std::vector<std::uint32_t> stack(std::uint32_t bits, std::size_t depth = 24) {
    std::vector<std::uint32_t> locations;
    for (std::size_t i = 0; i < depth; ++i) locations.push_back(1 + (bits >> i & 1));
    return locations;
  }
  std::vector<std::uint32_t> written(StackId id) {
    std::span<const std::uint32_t> all = writer_.locations_of(id);
    return {all.begin(), all.end()};
  }

  RecordingWriter writer_ = std::move(*RecordingWriter::create(OutputFile::on(UniqueFd(::memfd_create("stacks", 0)), "stacks"), {}));
  std::int32_t module_ = static_cast<std::int32_t>(writer_.add_module({"/bin/app", "", 0, ModuleKind::kFile}));
  std::uint32_t malloc_ = writer_.add_location({module_, 0x100, false});
  std::uint32_t left_ = writer_.add_location({module_, 0x200, true}), right_ = writer_.add_location({module_, 0x300, true});
  StackTable stacks_{writer_};
};

TEST_F(StackTableTest, AStackIsTheSameForEveryProbeThoughItIsKeptOnce) {
  stacks_.set_probe(1, {module_, 0x100, false});
  stacks_.learn(7, stack(0b101, 3), 0);
  StackId probed = stacks_.find(7, 1), bare = stacks_.find(7, 2);
  EXPECT_EQ(written(probed), (std::vector<std::uint32_t>{malloc_, right_, left_, right_}));
  EXPECT_EQ(written(bare), (std::vector<std::uint32_t>{right_, left_, right_}));
  std::span<const std::uint32_t> known = stacks_.locations_of(7);
  EXPECT_EQ(std::vector<std::uint32_t>(known.begin(), known.end()), stack(0b101, 3));
}

TEST_F(StackTableTest, ShortStacksRepeatSoTheyTakeNoMoreMemory) {
  stacks_.keep_frames(8);
  for (std::uint32_t i = 1; i <= 4096; ++i) {
    stacks_.learn(i, stack(i << 8 | 3), 0);
    stacks_.find(i, 0);
  }
  EXPECT_EQ(writer_.stack_count(), 2u) << "they differ only above the frames that are kept";
  EXPECT_EQ(stacks_.unresolved(), 0u);
  EXPECT_EQ(written(stacks_.find(1, 0)).size(), 8u);
}

TEST_F(StackTableTest, WhenTheRecordingIsFullWhatWasCalledIsStillKnownAndCounted) {
  stacks_.set_probe(1, {module_, 0x100, false});
  std::uint32_t next = 1;
  for (; stacks_.refused() == 0 && next < 2 * kMaxStacks; ++next) {
    stacks_.learn(next, stack(next), 0);
    ASSERT_NE(stacks_.find(next, 1), StackId::kUnknown);
  }
  std::size_t full = writer_.stack_count(), bytes = stacks_.memory_bytes() + writer_.memory_bytes();
  EXPECT_GT(full, kMaxStacks - 10000);
  for (std::uint32_t i = 0; i < 10000; ++i, ++next) {
    stacks_.learn(next, stack(next), 0);
    EXPECT_EQ(written(stacks_.find(next, 1)), std::vector<std::uint32_t>{malloc_});
  }
  EXPECT_EQ(stacks_.refused(), 10001u);
  EXPECT_LE(writer_.stack_count(), full + 1);
  EXPECT_LT(bytes, std::size_t{300} << 20);
}

TEST_F(StackTableTest, IdentitiesWithoutEndAreBoundedToo) {
  for (std::uint64_t identity = 1; identity <= 3 * kMaxStacks; ++identity) stacks_.learn(identity, {}, 0);
  StackId known = stacks_.find(1, 0), other = stacks_.find(3 * kMaxStacks, 0);
  EXPECT_NE(known, StackId::kUnknown);
  EXPECT_NE(other, StackId::kUnknown);
  EXPECT_NE(known, other);
  EXPECT_EQ(stacks_.unresolved(), 0u);
  EXPECT_EQ(stacks_.refused(), 1u);
  EXPECT_LT(stacks_.memory_bytes(), std::size_t{300} << 20);
}

}  // namespace
}  // namespace dwell
