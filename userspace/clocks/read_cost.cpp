// SPDX-License-Identifier: Apache-2.0
#include "userspace/clocks/read_cost.h"

#include <time.h>

#include <algorithm>

namespace dwell {
namespace {

constexpr int kReads = 20'000;
constexpr int kRounds = 7;

double now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_RAW, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

// The best of some rounds: whatever disturbs only adds.
double cost_of(clockid_t clock) {
  double best = 1e12;
  for (int round = 0; round < kRounds; ++round) {
    timespec time{};
    double start = now_ns();
    for (int i = 0; i < kReads; ++i) ::clock_gettime(clock, &time);
    best = std::min(best, (now_ns() - start) / kReads);
  }
  return best;
}

}  // namespace

ReadCost measure_read_cost() { return {cost_of(CLOCK_MONOTONIC), cost_of(CLOCK_REALTIME_COARSE)}; }

}  // namespace dwell
