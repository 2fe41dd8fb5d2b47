// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/waits/park_accounts.h"

#include <gtest/gtest.h>

#include <cmath>

namespace dwell {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr ParkSite kSite{77, 0, DWELL_GO_PARKED, 14};

dwell_go_site kernel_site(std::uint64_t stack) {
  dwell_go_site site{};
  site.stack = stack;
  site.reason = kSite.reason;
  return site;
}

dwell_goroutine parked(std::uint64_t since_ns, std::uint64_t first_run_ns = 0) {
  dwell_goroutine goroutine{};
  goroutine.since_ns = since_ns;
  goroutine.first_run_ns = first_run_ns;
  goroutine.site = kernel_site(kSite.stack);
  return goroutine;
}

ParkWindow window(std::uint64_t start_ns, std::uint64_t end_ns) {
  ParkWindow window;
  window.start_ns = start_ns;
  window.end_ns = end_ns;
  return window;
}

void saw(ParkWindow& window, std::uint64_t address, std::uint64_t seen_ns) {
  window.seen.push_back({{address, 0}, kSite, seen_ns});
}

TEST(ParkWindow, AddsWhatEndedAndWhatIsUnderWay) {
  ParkWindow one = window(100, 200);
  one.sites.push_back({kernel_site(kSite.stack), {3, 60, 30, 1, 5}});
  one.goroutines.push_back({{1, 0}, parked(180)});
  ParkSums sums = sums_of(one).at(kSite);
  EXPECT_EQ(sums.count, 4u);
  EXPECT_EQ(sums.ns, 60u + 20);
  EXPECT_EQ(sums.max_ns, 30u);
  EXPECT_EQ(sums.still, 1u);
  EXPECT_EQ(sums.queued, 1u);
}

TEST(ParkWindow, KnowsWaitsThatBeganBefore) {
  ParkWindow one = window(100, 200);
  saw(one, 1, 101);  // never ran
  saw(one, 2, 101);  // ran at 150
  dwell_goroutine ran{};
  ran.first_run_ns = 150;
  one.goroutines.push_back({{2, 0}, ran});
  ParkSums sums = sums_of(one).at(kSite);
  EXPECT_EQ(sums.count, 0u);
  EXPECT_EQ(sums.before, 2u);
  EXPECT_EQ(sums.still, 1u);
  EXPECT_EQ(sums.ns, 100u + 50);
}

TEST(ParkWindow, TakesNobodyForParkedBeforeWhoParkedInIt) {
  ParkWindow one = window(100, 200);
  saw(one, 1, 120);  // seen to park at 110, before the look came by
  one.goroutines.push_back({{1, 0}, parked(110)});
  saw(one, 2, 120);  // born in the window: it ran first at 105
  one.goroutines.push_back({{2, 0}, parked(115, 105)});
  ParkSums sums = sums_of(one).at(kSite);
  EXPECT_EQ(sums.before, 0u);
  EXPECT_EQ(sums.ns, 90u + 85);
}

TEST(ParkWindow, EndsForAProcessWhenItEnds) {
  ParkWindow one = window(100, 200);
  one.goroutines.push_back({{1, 0}, parked(110)});
  one.process_ends[0] = 150;
  EXPECT_EQ(sums_of(one).at(kSite).ns, 40u);
}

TEST(ParkAccounts, AreExactWhereNothingWasMissed) {
  ParkAccounts accounts;
  ParkWindow one = window(0, 10 * kSecond);
  one.sites.push_back({kernel_site(kSite.stack), {100, 5 * kSecond, kSecond, 0, 0}});
  accounts.add(one);
  ParkFigures figures = accounts.figures(10 * kSecond).at(kSite);
  EXPECT_EQ(figures.count, 100);
  EXPECT_EQ(figures.ns, 5e9);
  EXPECT_EQ(figures.count_error, 0);
  EXPECT_EQ(figures.ns_error, 0);
}

TEST(ParkAccounts, ScaleAndStateTheError) {
  // Half of the time was watched; waits come evenly.
  ParkAccounts accounts;
  for (std::uint64_t i = 0; i < 50; ++i) {
    ParkWindow one = window(2 * i * kSecond, (2 * i + 1) * kSecond);
    one.sites.push_back({kernel_site(kSite.stack), {100, kSecond, kSecond / 10, 0, 0}});
    accounts.add(one);
  }
  ParkFigures figures = accounts.figures(100 * kSecond).at(kSite);
  EXPECT_NEAR(figures.count, 10'000, 1);
  EXPECT_NEAR(figures.ns, 100e9, 1);
  EXPECT_EQ(figures.counted, 5'000u);
  // No spread between windows: what chance alone makes of 5,000, of which half is known.
  EXPECT_NEAR(figures.count_error, 2 * std::sqrt(5'000 * 0.5), 1);
}

TEST(ParkAccounts, AreSureOfWhoIsParkedInEveryWindow) {
  ParkAccounts accounts;
  for (std::uint64_t i = 0; i < 10; ++i) {
    ParkWindow one = window(10 * i * kSecond, (10 * i + 1) * kSecond);
    saw(one, 1, one.start_ns);
    accounts.add(one);
  }
  ParkFigures figures = accounts.figures(100 * kSecond).at(kSite);
  EXPECT_NEAR(figures.ns, 100e9, 1);
  EXPECT_NEAR(figures.ns_error, 0, 1e3);
  EXPECT_EQ(figures.before, 1u);
  EXPECT_EQ(figures.still, 1u);
}

TEST(ParkAccounts, AdmitThatOneWindowTellsLittle) {
  ParkAccounts accounts;
  ParkWindow one = window(0, kSecond);
  one.sites.push_back({kernel_site(kSite.stack), {100, kSecond, kSecond / 10, 0, 0}});
  accounts.add(one);
  ParkFigures figures = accounts.figures(10 * kSecond).at(kSite);
  EXPECT_EQ(figures.ns_error, figures.ns);
}

}  // namespace
}  // namespace dwell
