// SPDX-License-Identifier: Apache-2.0
// What may be extrapolated, on simulated curves of each shape. A figure that is a guess is worse than none: noise may pass for a
// trend in one run of a hundred at most.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>
#include <vector>

#include "userspace/views/trend.h"

namespace dwell {
namespace {

constexpr double kMega = 1 << 20;
constexpr std::uint64_t kQuarter = 250'000'000;  // ns between samples
using Curve = std::function<double(std::size_t index, double seconds, std::mt19937& random)>;

std::optional<SteadyTrend> trend_in(const Curve& curve, unsigned seed, std::size_t count = 240) {
  std::mt19937 random(seed);
  std::vector<std::uint64_t> times_ns;
  std::vector<double> values;
  for (std::size_t i = 0; i < count; ++i) {
    times_ns.push_back(1'000'000'000'000 + i * kQuarter);
    values.push_back(curve(i, static_cast<double>(i) * 0.25, random));
  }
  return steady_trend(times_ns, values);
}

// How many of `runs` are told to be a trend.
int trends(const std::function<Curve()>& make, int runs = 1000, std::size_t count = 240) {
  int told = 0;
  for (int run = 0; run < runs; ++run) told += trend_in(make(), static_cast<unsigned>(run), count).has_value();
  return told;
}

double noise(std::mt19937& random, double deviation) { return std::normal_distribution<double>(0, deviation)(random); }

TEST(Trend, TellsSteadyGrowthWithItsInterval) {
  int inside = 0;
  for (unsigned seed = 0; seed < 100; ++seed) {
    auto trend = trend_in([](std::size_t, double t, std::mt19937& r) { return 100 * kMega + 2 * kMega * t + noise(r, 3 * kMega); }, seed);
    ASSERT_TRUE(trend) << seed;
    EXPECT_NEAR(trend->per_second, 2 * kMega, 0.2 * kMega);
    inside += trend->low <= 2 * kMega && 2 * kMega <= trend->high;
  }
  EXPECT_GE(inside, 88);
}

TEST(Trend, TellsGrowthInStepsThatComeAllTheTime) {
  auto trend = trend_in([](std::size_t, double t, std::mt19937&) { return 50 * kMega + 4 * kMega * std::floor(t); }, 1);
  ASSERT_TRUE(trend);
  EXPECT_NEAR(trend->per_second, 4 * kMega, 0.4 * kMega);
}

TEST(Trend, TakesNoiseForATrendInOneRunOfAHundredAtMost) {
  for (std::size_t count : {std::size_t{48}, std::size_t{240}, std::size_t{600}}) {
    EXPECT_LE(trends([] { return [](std::size_t, double, std::mt19937& r) { return 100 * kMega + noise(r, 2 * kMega); }; }, 1000, count), 10)
        << "white noise, " << count;
    EXPECT_LE(trends([] {
      return [x = 0.0](std::size_t, double, std::mt19937& r) mutable { return 100 * kMega + (x = 0.9 * x + noise(r, kMega)); };
    }, 1000, count), 10) << "correlated noise, " << count;
    EXPECT_LE(trends([] {
      return [x = 0.0](std::size_t, double, std::mt19937& r) mutable { return 100 * kMega + (x += noise(r, kMega)); };
    }, 1000, count), 10) << "a random walk, " << count;
    EXPECT_LE(trends([] {
      return [level = 0.0](std::size_t, double, std::mt19937& r) mutable {
        if (std::uniform_real_distribution<double>()(r) < 0.02) level = noise(r, 10 * kMega);
        return 100 * kMega + level;
      };
    }, 1000, count), 10) << "levels that change now and then, " << count;
  }
}

TEST(Trend, IsNotToldOfWhatDoesNotGoOn) {
  auto warm_up = [] { return [](std::size_t, double t, std::mt19937& r) { return 200 * kMega * (1 - std::exp(-t / 8)) + noise(r, 0.2 * kMega); }; };
  EXPECT_LE(trends(warm_up, 200), 2) << "a cache that fills";
  auto burst = [] { return [](std::size_t, double t, std::mt19937& r) { return (t < 30 ? 10 : 200) * kMega + noise(r, 0.2 * kMega); }; };
  EXPECT_LE(trends(burst, 200), 2) << "one burst";
  auto saw = [] { return [](std::size_t, double t, std::mt19937& r) { return 100 * kMega + 5 * kMega * std::fmod(t, 7) + noise(r, 0.2 * kMega); }; };
  EXPECT_LE(trends(saw, 200), 2) << "a saw-tooth";
  auto falls = [] { return [](std::size_t, double t, std::mt19937& r) { return 300 * kMega - 2 * kMega * t + noise(r, kMega); }; };
  EXPECT_EQ(trends(falls, 200), 0) << "it falls";
  auto ended = [] { return [](std::size_t, double t, std::mt19937& r) { return 100 * kMega + 3 * kMega * std::min(t, 40.0) + noise(r, 0.2 * kMega); }; };
  EXPECT_LE(trends(ended, 200), 2) << "a leak that has ended";
  EXPECT_LE(trends(saw, 200, 48), 2) << "of which one tooth and a half is seen";
  auto slows = [] { return [](std::size_t, double t, std::mt19937& r) { return 200 * kMega * (1 - std::exp(-t / 5)) + noise(r, 0.2 * kMega); }; };
  EXPECT_LE(trends(slows, 200, 48), 2) << "a cache that fills, seen for twelve seconds";
  EXPECT_FALSE(trend_in([](std::size_t, double, std::mt19937&) { return 5 * kMega; }, 1)) << "a level line";
  EXPECT_FALSE(trend_in([](std::size_t, double t, std::mt19937&) { return kMega * t; }, 1, 12)) << "three seconds";
}

TEST(Trend, CountsFromWhereGrowthBegan) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    auto trend = trend_in([](std::size_t, double t, std::mt19937& r) { return 100 * kMega + 3 * kMega * std::max(t - 25, 0.0) + noise(r, 0.3 * kMega); }, seed);
    ASSERT_TRUE(trend) << seed;
    EXPECT_NEAR(trend->per_second, 3 * kMega, 0.2 * kMega);
    EXPECT_NEAR(static_cast<double>(trend->since_ns - 1'000'000'000'000) / 1e9, 25, 3);
  }
}

TEST(Trend, TestIsCorrectedForWhatNeighboursHaveInCommon) {
  std::mt19937 random(7);
  std::vector<double> values;
  double x = 0;
  for (int i = 0; i < 60; ++i) values.push_back(x = 0.95 * x + noise(random, 1));
  std::vector<double> shuffled = values;
  std::shuffle(shuffled.begin(), shuffled.end(), random);
  EXPECT_LT(std::abs(mann_kendall_z(values)), 2.6);
  std::vector<double> ties(40, 3.0);
  EXPECT_EQ(mann_kendall_z(ties), 0);
  for (int i = 0; i < 40; ++i) ties[static_cast<std::size_t>(i)] = i / 4;
  EXPECT_GT(mann_kendall_z(ties), 3.3);
}

}  // namespace
}  // namespace dwell
