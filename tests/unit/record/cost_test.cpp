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

}  // namespace
}  // namespace dwell
