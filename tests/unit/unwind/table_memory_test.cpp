// SPDX-License-Identifier: Apache-2.0
#include "userspace/unwind/table_memory.h"

#include <gtest/gtest.h>

#include <random>

namespace dwell {
namespace {

TEST(RangeAllocator, HandsOutOneAfterTheOther) {
  RangeAllocator ranges(1);
  EXPECT_EQ(ranges.allocate(10, 100), 1u);
  EXPECT_EQ(ranges.allocate(5, 100), 11u);
  EXPECT_EQ(ranges.end(), 16u);
}

TEST(RangeAllocator, ReusesWhatIsFreed) {
  RangeAllocator ranges(0);
  ranges.allocate(10, 100);
  ranges.allocate(10, 100);
  ranges.allocate(10, 100);
  ranges.free(10, 10);
  EXPECT_EQ(ranges.allocate(4, 100), 10u);
  EXPECT_EQ(ranges.allocate(6, 100), 14u);
  EXPECT_EQ(ranges.allocate(1, 100), 30u);
}

TEST(RangeAllocator, JoinsNeighbours) {
  RangeAllocator ranges(0);
  for (int i = 0; i < 4; i++) ranges.allocate(10, 40);
  ranges.free(0, 10);
  ranges.free(20, 10);
  EXPECT_EQ(ranges.allocate(20, 40), std::nullopt);
  ranges.free(10, 10);
  EXPECT_EQ(ranges.allocate(30, 40), 0u);
}

TEST(RangeAllocator, GivesTheEndBack) {
  RangeAllocator ranges(0);
  ranges.allocate(10, 40);
  ranges.allocate(10, 40);
  ranges.free(0, 10);
  ranges.free(10, 10);
  EXPECT_EQ(ranges.end(), 0u);
}

TEST(RangeAllocator, SaysWhenItIsFull) {
  RangeAllocator ranges(0);
  EXPECT_EQ(ranges.allocate(41, 40), std::nullopt);
  EXPECT_EQ(ranges.allocate(40, 40), 0u);
  EXPECT_EQ(ranges.allocate(1, 40), std::nullopt);
}

// Against a plain bitmap: no two owners, and nothing lost.
TEST(RangeAllocator, NeverHandsOutWhatIsInUse) {
  constexpr std::uint32_t kCapacity = 500;
  RangeAllocator ranges(0);
  std::vector<bool> used(kCapacity);
  std::vector<std::pair<std::uint32_t, std::uint32_t>> owned;
  std::mt19937 random(7);
  for (int i = 0; i < 20000; i++) {
    std::uint32_t count = 1 + random() % 40;
    if (random() % 2 == 0) {
      std::optional<std::uint32_t> begin = ranges.allocate(count, kCapacity);
      if (!begin) continue;
      for (std::uint32_t at = *begin; at < *begin + count; at++) {
        ASSERT_LT(at, kCapacity);
        ASSERT_FALSE(used[at]);
        used[at] = true;
      }
      owned.emplace_back(*begin, count);
    } else if (!owned.empty()) {
      std::swap(owned[random() % owned.size()], owned.back());
      auto [begin, size] = owned.back();
      owned.pop_back();
      for (std::uint32_t at = begin; at < begin + size; at++) used[at] = false;
      ranges.free(begin, size);
    }
  }
  for (auto [begin, size] : owned) ranges.free(begin, size);
  EXPECT_EQ(ranges.end(), 0u);
}

}  // namespace
}  // namespace dwell
