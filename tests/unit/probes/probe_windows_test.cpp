// SPDX-License-Identifier: Apache-2.0
#include "userspace/probes/probe_windows.h"

#include <gtest/gtest.h>

namespace dwell {
namespace {

constexpr std::uint64_t kMillisecond = 1'000'000, kSecond = 1'000'000'000;

// A program that reads so often that the probes cost `cost_per_ns` of each nanosecond in which they are
// attached.
struct Simulated {
  double open_share, cost_share;
  std::uint64_t windows;
};
Simulated simulate(const WindowSettings& settings, double cost_per_ns, std::uint64_t duration_ns) {
  std::uint64_t now = kSecond;
  ProbeWindows windows(settings, now, 42);
  double cost = 0;
  const std::uint64_t start = now;
  while (now - start < duration_ns) {
    switch (windows.next(now, cost, static_cast<double>(now - start))) {
      case ProbeWindows::Step::kOpen:
        windows.opened(now);
        break;
      case ProbeWindows::Step::kClose:
        windows.closed(now);
        break;
      case ProbeWindows::Step::kStay:
        break;
    }
    std::uint64_t wait = windows.ask_again_in_ns();
    if (windows.is_open()) cost += cost_per_ns * static_cast<double>(wait);
    now += wait;
  }
  double elapsed = static_cast<double>(now - start);
  return {static_cast<double>(windows.watched_ns(now)) / elapsed, cost / elapsed, windows.windows()};
}

TEST(ProbeWindows, WatchAProgramAllTheTimeThatReadsSeldom) {
  Simulated seldom = simulate({}, 0.001, 60 * kSecond);
  EXPECT_EQ(seldom.windows, 1u);
  EXPECT_DOUBLE_EQ(seldom.open_share, 1.0);
}

TEST(ProbeWindows, KeepToTheirShareWhenAProgramDoesNothingElseThanRead) {
  WindowSettings settings;
  Simulated often = simulate(settings, 0.95, 60 * kSecond);
  EXPECT_LT(often.cost_share, 1.2 * settings.share);
  EXPECT_GT(often.cost_share, 0.5 * settings.share);
  EXPECT_GT(often.windows, 50u);
}

TEST(ProbeWindows, KeepToTheirShareForManyThreads) {
  WindowSettings settings;
  settings.share = 0.02;
  Simulated many = simulate(settings, 8 * 0.95, 120 * kSecond);
  EXPECT_LT(many.cost_share, 1.3 * settings.share);
}

TEST(ProbeWindows, StayOpenWhenEveryReadIsToBeCounted) {
  WindowSettings settings;
  settings.share = 1;
  Simulated all = simulate(settings, 0.95, 10 * kSecond);
  EXPECT_EQ(all.windows, 1u);
  EXPECT_DOUBLE_EQ(all.open_share, 1.0);
}

TEST(ProbeWindows, AreNoShorterThanAsked) {
  WindowSettings settings;
  settings.length_ns = 20 * kMillisecond;
  Simulated often = simulate(settings, 0.95, 120 * kSecond);
  EXPECT_GE(often.open_share * 120e9, 0.9 * static_cast<double>(often.windows * settings.length_ns));
}

TEST(ProbeWindows, KeepNoRhythm) {
  std::uint64_t now = kSecond, last = 0;
  ProbeWindows windows({}, now, 7);
  double cost = 0;
  std::vector<std::uint64_t> gaps;
  const std::uint64_t start = now;
  while (now - start < 60 * kSecond) {
    auto step = windows.next(now, cost, static_cast<double>(now - start));
    if (step == ProbeWindows::Step::kOpen) {
      windows.opened(now);
      if (last) gaps.push_back(now - last);
      last = now;
    } else if (step == ProbeWindows::Step::kClose) {
      windows.closed(now);
    }
    std::uint64_t wait = windows.ask_again_in_ns();
    if (windows.is_open()) cost += 0.95 * static_cast<double>(wait);
    now += wait;
  }
  ASSERT_GT(gaps.size(), 20u);
  auto [least, most] = std::minmax_element(gaps.begin() + 1, gaps.end());
  EXPECT_GT(*most, *least + 10 * kMillisecond);
}

// Who hits nothing for an hour has not saved for a minute in which the probes may take everything.
TEST(ProbeWindows, DoNotSaveWhatIsNotSpent) {
  WindowSettings settings;
  settings.share = 0.02;
  std::uint64_t now = kSecond;
  ProbeWindows windows(settings, now, 42);
  (void)windows.next(now, 0, 0);
  windows.opened(now);
  now += 3600 * kSecond;
  EXPECT_EQ(windows.next(now, 0, 3600e9), ProbeWindows::Step::kStay) << "it costs nothing";
  now += kSecond / 10;
  EXPECT_EQ(windows.next(now, 50e6, 3600.1e9), ProbeWindows::Step::kClose) << "half of the last tenth of a second";
}

TEST(ProbeWindows, FollowAShareThatChanges) {
  WindowSettings settings;
  settings.share = 0.02;
  std::uint64_t now = kSecond;
  ProbeWindows windows(settings, now, 42);
  windows.set_share(0.001);
  double cost = 0;
  for (const std::uint64_t start = now; now - start < 120 * kSecond; now += windows.ask_again_in_ns()) {
    ProbeWindows::Step step = windows.next(now, cost, static_cast<double>(now - start));
    if (step == ProbeWindows::Step::kOpen) windows.opened(now);
    if (step == ProbeWindows::Step::kClose) windows.closed(now);
    if (windows.is_open()) cost += 0.95 * static_cast<double>(windows.ask_again_in_ns());
  }
  EXPECT_LT(cost, 1.4 * 0.001 * 120e9);
}

}  // namespace
}  // namespace dwell
