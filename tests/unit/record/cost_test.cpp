// SPDX-License-Identifier: Apache-2.0
#include "userspace/record/cost.h"

#include <gtest/gtest.h>

namespace dwell {
namespace {

TEST(CostMeter, PricesEachHitByItsTrapAndAddsTheProgramsRunTime) {
  TrapPrices prices;
  prices.entry_ns[static_cast<int>(TrapClass::kEmulated)] = 500;
  prices.entry_ns[static_cast<int>(TrapClass::kStepped)] = 5000;
  prices.return_ns = 300;
  CostMeter meter(prices);
  meter.set_probe(1, TrapClass::kEmulated);
  meter.set_probe(2, TrapClass::kStepped);
  std::vector<dwell_hits> hits{{0, 0}, {100, 90}, {10, 0}};

  meter.update(hits, 0, 0);
  EXPECT_EQ(meter.probe_hits(), 110u);
  EXPECT_EQ(meter.trap_ns(), 100u * 500 + 90 * 300 + 10 * 5000);
  EXPECT_EQ(meter.bpf_ns(), std::nullopt) << "not known until a window has counted some runs";

  meter.update(hits, 20, 20 * 700);
  EXPECT_EQ(meter.bpf_ns(), 200u * 700) << "20 runs were counted, 200 have been";
}

TEST(RunPrice, OfAProgramThatWasPreemptedInTheMiddleOfARunIsThatOfTheOtherRuns) {
  RunPrice price;
  std::uint64_t runs = 0, ns = 0;
  for (int slice = 0; slice < 9; ++slice) {
    runs += 1000;
    ns += 1000 * 700 + (slice == 4 ? 400'000'000 : 0);
    price.add(runs, ns);
  }
  EXPECT_EQ(price.of(2'000'000), 2'000'000u * 700);
}

TEST(RunPrice, IsNotKnownWithoutARun) {
  RunPrice price;
  price.add(0, 0);
  EXPECT_EQ(price.of(5), std::nullopt);
  EXPECT_EQ(price.of(0), 0u) << "what did not run took no time";
}

}  // namespace
}  // namespace dwell
