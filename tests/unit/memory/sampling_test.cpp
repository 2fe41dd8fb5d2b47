// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/sampling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "userspace/memory/ledger.h"

namespace dwell {
namespace {

constexpr std::uint64_t kPeriod = 64 << 10;

TEST(Sampling, ABlockFarLargerThanThePeriodStandsForItself) {
  EXPECT_EQ(scaled_block(1ull << 40, kPeriod), (Scaled{kScaledBlock, 1ull << 40, 0}));
  EXPECT_EQ(scaled_block(~std::uint64_t{0}, 1).bytes, ~std::uint64_t{0});
}

TEST(Sampling, ASmallBlockStandsForAboutOnePeriod) {
  Scaled scaled = scaled_block(64, kPeriod);
  EXPECT_NEAR(static_cast<double>(scaled.bytes), kPeriod, 0.001 * kPeriod);
  EXPECT_NEAR(static_cast<double>(scaled.blocks) / kScaledBlock, kPeriod / 64.0, 1);
}

TEST(Sampling, AnEmptyBlockHasAWeightAndNoBytes) {
  Scaled scaled = scaled_block(0, kPeriod);
  EXPECT_EQ(scaled.bytes, 0u);
  EXPECT_GT(scaled.blocks, 0u);
}

// The promise itself: over many recordings of the same load, the mean of what is reported is the truth, and its
// spread is the standard error that is reported.
TEST(Sampling, IsUnbiasedAndKnowsItsError) {
  constexpr int kRecordings = 400;
  const std::vector<std::uint64_t> sizes = {16, 100, 1000, 30'000, 65'536, 200'000};
  constexpr int kBlocksOfEach = 500;
  double true_bytes = 0;
  for (std::uint64_t size : sizes) true_bytes += static_cast<double>(size) * kBlocksOfEach;
  const double true_blocks = static_cast<double>(sizes.size()) * kBlocksOfEach;

  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> uniform(0, 1);
  double mean_bytes = 0, mean_blocks = 0, mean_square = 0, mean_error = 0;
  for (int recording = 0; recording < kRecordings; ++recording) {
    Scaled sum;
    for (std::uint64_t size : sizes) {
      double seen = 1 - std::exp(-static_cast<double>(size) / kPeriod);
      for (int i = 0; i < kBlocksOfEach; ++i) {
        if (uniform(random) >= seen) continue;
        Scaled one = scaled_block(size, kPeriod);
        sum.bytes += one.bytes;
        sum.blocks += one.blocks;
        sum.variance += one.variance;
      }
    }
    double bytes = static_cast<double>(sum.bytes);
    mean_bytes += bytes / kRecordings;
    mean_blocks += static_cast<double>(sum.blocks) / kScaledBlock / kRecordings;
    mean_square += (bytes - true_bytes) * (bytes - true_bytes) / kRecordings;
    mean_error += standard_error(sum.variance, kPeriod) / kRecordings;
  }
  double spread = std::sqrt(mean_square);
  EXPECT_NEAR(mean_bytes, true_bytes, 4 * spread / std::sqrt(kRecordings));
  EXPECT_NEAR(mean_blocks, true_blocks, 0.1 * true_blocks);
  EXPECT_NEAR(mean_error, spread, 0.1 * spread);
}

TEST(Sampling, FreesTakeAwayExactlyWhatAllocationsBrought) {
  MemoryLedger ledger(0, kPeriod);
  std::mt19937_64 random(3);
  for (std::uint64_t i = 1; i <= 1000; ++i)
    ledger.apply(Alloc{i, i * 4096, random() % 200'000, StackId{1}, 1, 0});
  for (std::uint64_t i = 1; i <= 1000; ++i) ledger.apply(Free{1000 + i, i * 4096, 1, 0, false});
  MemoryTick tick = ledger.take_tick(3000);
  ASSERT_EQ(tick.scaled.size(), 1u);
  EXPECT_EQ(tick.scaled[0].allocated, tick.scaled[0].freed);
  EXPECT_GT(tick.scaled[0].allocated.variance, 0u);
  EXPECT_EQ(ledger.live(MemoryKind::kHeap).bytes, 0u);
}

TEST(Sampling, MappingsAreNotSampled) {
  MemoryLedger ledger(0, kPeriod);
  ledger.apply(Map{1, 0x10000, 4096, 0, 0, MemoryKind::kMapping, StackId{1}, 1, 0});
  MemoryTick tick = ledger.take_tick(2);
  EXPECT_EQ(tick.scaled.at(0).allocated, (Scaled{kScaledBlock, 4096, 0}));
}

}  // namespace
}  // namespace dwell
