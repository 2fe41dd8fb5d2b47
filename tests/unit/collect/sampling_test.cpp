// SPDX-License-Identifier: Apache-2.0
// The sampler that runs in the kernel, here.
#include "bpf/sampling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace dwell {
namespace {

TEST(Sampling, TheLogarithmIsRightToFourDigits) {
  std::mt19937 random(1);
  for (int i = 0; i < 100000; ++i) {
    std::uint32_t x = random() >> (i % 32);
    if (x == 0) continue;
    ASSERT_NEAR(dwell_log2(x) / 65536.0, std::log2(x), 1e-4) << x;
  }
  EXPECT_EQ(dwell_log2(1), 0u);
  EXPECT_EQ(dwell_log2(1u << 31), 31u << 16);
}

TEST(Sampling, TheMeanDistanceIsThePeriod) {
  for (std::uint64_t period : {100ull, 4096ull, 524288ull, 1ull << 36}) {
    std::mt19937 random(2);
    double sum = 0;
    constexpr int kDraws = 200000;
    for (int i = 0; i < kDraws; ++i) sum += static_cast<double>(dwell_next_sample(random(), period));
    // The standard error of the mean of an exponential is period / sqrt(draws): 0.22 %.
    EXPECT_NEAR(sum / kDraws / static_cast<double>(period), 1.0, period < 1000 ? 0.015 : 0.01) << period;
  }
}

// Walks allocations of one size as the tracer does, and counts how many of them are sampled.
double sampled_share(std::uint64_t size, std::uint64_t period) {
  std::mt19937 random(3);
  constexpr int kBlocks = 400000;
  int sampled = 0;
  std::int64_t until = static_cast<std::int64_t>(dwell_next_sample(random(), period));
  for (int i = 0; i < kBlocks; ++i) {
    until -= static_cast<std::int64_t>(size);
    if (until > 0) continue;
    ++sampled;
    until = static_cast<std::int64_t>(dwell_next_sample(random(), period));
  }
  return static_cast<double>(sampled) / kBlocks;
}

TEST(Sampling, ABlockIsSampledWithTheProbabilityThatTheReportAssumes) {
  constexpr std::uint64_t kPeriod = 65536;
  for (std::uint64_t size : {1000ull, 20000ull, 65536ull, 200000ull}) {
    double expected = 1 - std::exp(-static_cast<double>(size) / kPeriod);
    EXPECT_NEAR(sampled_share(size, kPeriod) / expected, 1.0, 0.02) << size;
  }
}

}  // namespace
}  // namespace dwell
