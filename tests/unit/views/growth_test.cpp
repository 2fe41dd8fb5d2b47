// SPDX-License-Identifier: Apache-2.0
#include "userspace/views/growth.h"

#include <gtest/gtest.h>

#include <vector>

namespace dwell {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

struct Points {
  std::vector<std::uint64_t> times;
  std::vector<double> values;
  std::optional<double> slope() const { return slope_per_minute(times, values); }
  GrowthPattern pattern() const { return growth_pattern(times, values); }
};

template <typename Function>
Points twenty_seconds(Function value) {
  Points points;
  for (int i = 0; i < 20; ++i) {
    points.times.push_back(static_cast<std::uint64_t>(i) * kSecond);
    points.values.push_back(value(i));
  }
  return points;
}

TEST(Growth, OfALineIsItsSlope) {
  EXPECT_DOUBLE_EQ(*twenty_seconds([](int i) { return 1000.0 + 10 * i; }).slope(), 600);
  EXPECT_DOUBLE_EQ(*twenty_seconds([](int i) { return 1000.0 - 10 * i; }).slope(), -600);
}

TEST(Growth, IsNotMovedByABurst) {
  EXPECT_NEAR(*twenty_seconds([](int i) { return i == 7 || i == 12 ? 1e9 : 10.0 * i; }).slope(), 600, 120);
}

TEST(Growth, OfAStartUpThatThenStaysIsNone) {
  EXPECT_DOUBLE_EQ(*twenty_seconds([](int i) { return i < 2 ? 0.0 : 1e6; }).slope(), 0);
}

TEST(Growth, IsNotToldFromTooLittle) {
  Points points = twenty_seconds([](int i) { return 10.0 * i; });
  points.times.resize(kMinGrowthPoints - 1);
  points.values.resize(kMinGrowthPoints - 1);
  EXPECT_FALSE(points.slope());
  points = twenty_seconds([](int i) { return 10.0 * i; });
  for (std::uint64_t& time : points.times) time /= 10;
  EXPECT_FALSE(points.slope()) << "twenty points within two seconds";
}

TEST(GrowthPattern, OfALeakIsSteady) {
  EXPECT_EQ(twenty_seconds([](int i) { return 100.0 * i; }).pattern().shape, GrowthShape::kSteady);
  EXPECT_EQ(twenty_seconds([](int i) { return 100.0 * i + (i % 2 ? 60 : 0); }).pattern().shape, GrowthShape::kSteady)
      << "a saw-tooth upon a slope is steady as long as each fifth of the time adds its part";
}

TEST(GrowthPattern, OfACacheThatFilledUpIsLevelled) {
  GrowthPattern pattern = twenty_seconds([](int i) { return i < 8 ? 1000.0 * i : 8000.0; }).pattern();
  EXPECT_EQ(pattern.shape, GrowthShape::kLevelled);
  EXPECT_EQ(pattern.level_ns, 11 * kSecond);
}

TEST(GrowthPattern, OfBurstsIsInBursts) {
  EXPECT_EQ(twenty_seconds([](int i) { return 1000.0 * (i / 9); }).pattern().shape, GrowthShape::kBursts)
      << "two bursts, the last one just now";
  EXPECT_EQ(twenty_seconds([](int i) { return i < 15 ? 0.0 : 1000.0 * (i - 14); }).pattern().shape, GrowthShape::kBursts)
      << "nothing for most of the time";
}

TEST(GrowthPattern, ThatGetsFasterAndFasterIsUnevenAndNoBurst) {
  EXPECT_EQ(twenty_seconds([](int i) { return 10.0 * i * i; }).pattern().shape, GrowthShape::kUneven);
}

TEST(GrowthPattern, OfWhatEndsWhereItBeganIsLevel) {
  EXPECT_EQ(twenty_seconds([](int i) { return i == 9 ? 5e6 : 7.0; }).pattern().shape, GrowthShape::kLevel);
}

TEST(GrowthPattern, OfWhatEndsLowerFell) {
  EXPECT_EQ(twenty_seconds([](int i) { return 1000.0 - i; }).pattern().shape, GrowthShape::kFell);
}

TEST(GrowthPattern, IsNotToldFromTooLittle) {
  Points points = twenty_seconds([](int i) { return 10.0 * i; });
  for (std::uint64_t& time : points.times) time /= 10;
  EXPECT_EQ(points.pattern(), GrowthPattern{});
}

}  // namespace
}  // namespace dwell
