// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/interval_map.h"

#include <gtest/gtest.h>

#include <random>

namespace dwell {
namespace {

constexpr std::uint32_t kNone = IntervalMap::kNone;

TEST(IntervalMap, InnermostWinsAndTheOuterGoesOnBehindIt) {
  IntervalMap map;
  map.add(0x10, 0x80, 1);
  map.add(0x20, 0x40, 2);
  map.add(0x30, 0x40, 3);
  map.build();
  EXPECT_EQ(map.find(0x0f), kNone);
  EXPECT_EQ(map.find(0x10), 1u);
  EXPECT_EQ(map.find(0x20), 2u);
  EXPECT_EQ(map.find(0x30), 3u);
  EXPECT_EQ(map.find(0x3f), 3u);
  EXPECT_EQ(map.find(0x40), 1u);
  EXPECT_EQ(map.find(0x7f), 1u);
  EXPECT_EQ(map.find(0x80), kNone);
}

TEST(IntervalMap, OfEqualRangesTheLaterIsInside) {
  IntervalMap map;
  map.add(0x10, 0x20, 1);
  map.add(0x10, 0x20, 2);
  map.build();
  EXPECT_EQ(map.find(0x10), 2u);
  EXPECT_EQ(map.find(0x1f), 2u);
}

TEST(IntervalMap, AnInnerRangeThatSticksOutIsCut) {
  IntervalMap map;
  map.add(0x10, 0x30, 1);
  map.add(0x20, 0x40, 2);
  map.build();
  EXPECT_EQ(map.find(0x2f), 2u);
  EXPECT_EQ(map.find(0x30), kNone);
}

TEST(IntervalMap, EmptyAndBackwardRangesAreNothing) {
  IntervalMap map;
  map.add(0x10, 0x10, 1);
  map.add(0x30, 0x20, 2);
  map.build();
  EXPECT_TRUE(map.empty());
  EXPECT_EQ(map.find(0x10), kNone);
}

TEST(IntervalMap, RangesToTheEndOfTheAddressSpace) {
  IntervalMap map;
  map.add(~std::uint64_t{0} - 16, ~std::uint64_t{0}, 5);
  map.build();
  EXPECT_EQ(map.find(~std::uint64_t{0} - 1), 5u);
}

// Nested ranges at random, against a search through all of them.
TEST(IntervalMap, AgreesWithASearchThroughNestedRanges) {
  std::mt19937 random(11);
  for (int round = 0; round < 50; ++round) {
    struct Range {
      std::uint64_t start, end;
    };
    std::vector<Range> ranges = {{0, 1000}};
    for (int i = 0; i < 60; ++i) {
      Range around = ranges[random() % ranges.size()];
      if (around.end - around.start < 4) continue;
      std::uint64_t start = around.start + random() % (around.end - around.start - 1);
      Range inner{start, start + 1 + random() % (around.end - start)};
      bool crosses = false;
      for (const Range& other : ranges) {
        bool apart = inner.end <= other.start || other.end <= inner.start;
        bool within = inner.start >= other.start && inner.end <= other.end;
        crosses |= !apart && !within;
      }
      if (!crosses) ranges.push_back(inner);
    }
    IntervalMap map;
    for (std::uint32_t i = 0; i < ranges.size(); ++i) map.add(ranges[i].start, ranges[i].end, i);
    map.build();
    for (std::uint64_t address = 0; address < 1001; ++address) {
      std::uint32_t expected = kNone;
      for (std::uint32_t i = 0; i < ranges.size(); ++i) {
        if (address < ranges[i].start || address >= ranges[i].end) continue;
        bool inside = expected == kNone || ranges[i].end - ranges[i].start <= ranges[expected].end - ranges[expected].start;
        if (inside) expected = i;
      }
      EXPECT_EQ(map.find(address), expected);
    }
  }
}

}  // namespace
}  // namespace dwell
