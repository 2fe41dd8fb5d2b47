// SPDX-License-Identifier: Apache-2.0
#include "userspace/clocks/read_rates.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace dwell {
namespace {

constexpr std::uint64_t kMillisecond = 1'000'000, kSecond = 1'000'000'000;

dwell_read_key key(std::uint64_t stack, std::uint32_t hot_tid = 0) {
  return {.stack = stack,
          .hot_tid = hot_tid,
          .process = 0,
          .clock = 0,
          .call = DWELL_CALL_CLOCK_GETTIME,
          .unused = 0};
}
const ReadSite kSite{1, 0, 0, DWELL_CALL_CLOCK_GETTIME};

TEST(ReadRates, AreExactWhenNothingWasMissed) {
  ReadRates rates(600);
  for (int i = 0; i < 10; ++i) rates.add_slice(100 * kMillisecond, {{key(1), i % 2 ? 30 : 10}});
  ReadFigures f = rates.figures(kSecond).at(kSite);
  EXPECT_EQ(f.counted, 200u);
  EXPECT_DOUBLE_EQ(f.per_second, 200);
  EXPECT_EQ(f.error, 0);
}

TEST(ReadRates, HaveAnErrorThatHoldsWhenOnlyAPartWasWatched) {
  std::mt19937_64 random(1);
  int inside = 0;
  constexpr int kTrials = 400;
  constexpr double kTrue = 20'000;  // a second
  for (int trial = 0; trial < kTrials; ++trial) {
    ReadRates rates(600);
    for (int window = 0; window < 40; ++window) {
      std::poisson_distribution<std::uint64_t> reads(kTrue * 0.005);
      rates.add_slice(5 * kMillisecond, {{key(1), reads(random)}});
    }
    ReadFigures f = rates.figures(10 * kSecond).at(kSite);
    inside += std::abs(f.per_second - kTrue) <= 2 * f.error;
  }
  EXPECT_GT(inside, kTrials * 0.92);
  EXPECT_LT(inside, kTrials * 0.99);
}

TEST(ReadRates, TakeTheProbesTimeOffAThreadThatItSlowedDown) {
  // 500 ns in the probe for each 100 ns of its own: of 6 ms it had 1 ms for itself.
  ReadRates rates(500);
  rates.add_slice(6 * kMillisecond, {{key(1, 77), 10'000}});
  ReadFigures f = rates.figures(kSecond).at(kSite);
  EXPECT_NEAR(f.per_second, 1e7, 1);
  EXPECT_GT(f.error, 0.2 * f.per_second) << "the price of a trap is not known so well";
}

TEST(ReadRates, LeaveOtherThreadsAlone) {
  ReadRates rates(500);
  rates.add_slice(6 * kMillisecond, {{key(1, 77), 10'000}, {key(2), 6}});
  EXPECT_NEAR(rates.figures(6 * kMillisecond).at({2, 0, 0, DWELL_CALL_CLOCK_GETTIME}).per_second, 1000, 1e-6);
}

TEST(ReadRates, BelieveSamplesMoreThanThePriceOfATrap) {
  ReadRates rates(500);
  rates.add_slice(6 * kMillisecond, {{key(1, 77), 10'000}});
  rates.correct_slowed(0.5, 0.05);
  ReadFigures f = rates.figures(kSecond).at(kSite);
  EXPECT_NEAR(f.per_second, 5e6, 1);
  EXPECT_LT(f.error, 0.1 * f.per_second + 1e5);
}

TEST(ReadRates, AreNeverInfinite) {
  ReadRates rates(1000);
  rates.add_slice(kMillisecond, {{key(1, 77), 5000}});  // more than there was time for
  double per_second = rates.figures(kSecond).at(kSite).per_second;
  EXPECT_TRUE(std::isfinite(per_second));
  EXPECT_GT(per_second, 5e6);
}

}  // namespace
}  // namespace dwell
