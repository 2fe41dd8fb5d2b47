// SPDX-License-Identifier: Apache-2.0
// What the probes of a process may cost, and on which level they are: on measurements that are made up.
#include <gtest/gtest.h>

#include <cmath>

#include "userspace/memory/windows/due_times.h"
#include "userspace/memory/windows/kept_probes.h"
#include "userspace/memory/windows/level_policy.h"
#include "userspace/memory/windows/overhead_budget.h"
#include "userspace/memory/windows/thread_work.h"

namespace dwell::memory::windows {
namespace {

constexpr std::uint64_t kMillisecond = 1'000'000, kSecond = 1'000 * kMillisecond;

TEST(OverheadBudget, EarnsAShareOfWhatTheProcessUsesAndKeepsAQuarterOfASecond) {
  OverheadBudget budget(0.02, 0);
  for (std::uint64_t now = 0; now <= 10 * kSecond; now += 10 * kMillisecond) budget.update(now, 2 * now, 0);  // two CPUs
  EXPECT_NEAR(budget.income_ns(), 40e6, 0.5e6);
  EXPECT_NEAR(budget.left_ns(), 10e6, 0.2e6);
}

TEST(OverheadBudget, SpendingIsAtMostTheBudgetAndAQuarterInAnySecond) {
  OverheadBudget budget(0.02, 0);
  double cost = 0;
  std::vector<double> at;  // every 10 ms
  for (std::uint64_t now = 10 * kMillisecond; now <= 20 * kSecond; now += 10 * kMillisecond) {
    budget.update(now, now, cost);
    // Greedy in bursts: nothing for a while, then all that there is.
    bool burst = now / kSecond % 3 == 2;
    if (burst && budget.left_ns() > 0) cost += budget.left_ns();
    at.push_back(cost);
  }
  for (std::size_t i = 200; i < at.size(); ++i) EXPECT_LE(at[i] - at[i - 100], 0.02 * 1e9 * 1.26) << i;
  EXPECT_GT(cost, 0.2 * 0.02 * 20e9 / 3) << "it may be spent, too";
}

TEST(OverheadBudget, AnIdleProcessMayCostALittle) {
  OverheadBudget budget(0.02, 0);
  for (std::uint64_t now = 0; now <= 5 * kSecond; now += 10 * kMillisecond) budget.update(now, 0, 0);
  EXPECT_NEAR(budget.income_ns(), 2e6, 1e3);
  EXPECT_NEAR(budget.left_ns(), 8e6, 1e3) << "at once: it does something now and then";
}

TEST(OverheadBudget, ManyIdleProcessesCostNoMoreThanAFew) {
  auto income = [](std::size_t processes) {
    OverheadBudget budget(0.02, 0);
    budget.share_idle_time(processes);
    for (std::uint64_t now = 0; now <= 5 * kSecond; now += 10 * kMillisecond) budget.update(now, 0, 0);
    return budget.income_ns();
  };
  EXPECT_NEAR(income(1), 2e6, 1e3);
  EXPECT_NEAR(income(4), 2e6, 1e3);
  EXPECT_NEAR(income(200) * 200, income(4) * 4, 1e3) << "in sum";
}

TEST(OverheadBudget, WhatWasSpentTooMuchIsPaidBack) {
  OverheadBudget budget(0.02, 0);
  budget.update(kSecond, kSecond, 100e6);
  EXPECT_LT(budget.left_ns(), 0);
  budget.update(2 * kSecond, 2 * kSecond, 100e6);
  EXPECT_LT(budget.left_ns(), 0);
  budget.update(6 * kSecond, 6 * kSecond, 100e6);
  EXPECT_GT(budget.left_ns(), 0);
}

// A process that allocates so often, on one CPU, measured by the windows that the policy itself lays.
class Measured {
 public:
  explicit Measured(double percent) : income_(percent / 100 * 1e9) {}
  void run(LevelPolicy& policy, double rate, std::uint64_t ns) {
    for (std::uint64_t until = now_ + ns; now_ < until && policy.level() == Level::kWindows;) {
      now_ += policy.plan().interval_ns;
      double length = static_cast<double>(policy.plan().length_ns);
      policy.saw_window(now_, policy.plan().length_ns, static_cast<std::uint64_t>(rate * length / 1e9));
      policy.decide(now_, income_, prices_);
    }
    now_ = std::max(now_, now_);
  }
  double cost_share(const LevelPolicy& policy, double rate) const {
    const WindowPlan& plan = policy.plan();
    double one = rate * static_cast<double>(plan.length_ns) / 1e9 * prices_.allocation + prices_.window;
    return one / static_cast<double>(plan.interval_ns) / (income_ / 1e9);
  }
  std::uint64_t now() const { return now_; }

 private:
  double income_;
  LevelPrices prices_;
  std::uint64_t now_ = 0;
};

TEST(LevelPolicy, BeginsExactAndStaysThereUntilThatIsTooDear) {
  LevelPolicy policy(0);
  EXPECT_EQ(policy.level(), Level::kExact);
  policy.exceeded(kSecond);
  EXPECT_EQ(policy.level(), Level::kWindows);
}

TEST(LevelPolicy, WindowsStayWithinTheBudgetFromAThousandToTenMillionASecond) {
  for (double rate : {1e3, 1e4, 1e5, 1e6, 1e7}) {
    LevelPolicy policy(0);
    Measured process(2);
    policy.exceeded(0);
    process.run(policy, rate, 4 * kSecond);
    ASSERT_EQ(policy.level(), Level::kWindows) << rate;
    EXPECT_LE(process.cost_share(policy, rate), 1.0) << rate;
    EXPECT_GE(policy.plan().length_ns, 200'000u) << rate;
    EXPECT_LE(policy.plan().length_ns, 5 * kMillisecond) << rate;
  }
}

TEST(LevelPolicy, GoesBackToExactWhereThatFitsAndLaterEachTime) {
  LevelPolicy policy(0);
  Measured process(2);
  std::vector<std::uint64_t> waits;
  for (int round = 0; round < 4; ++round) {
    policy.exceeded(process.now());
    std::uint64_t since = process.now();
    process.run(policy, 500, 400 * kSecond);
    ASSERT_EQ(policy.level(), Level::kExact);
    waits.push_back(process.now() - since);
  }
  for (std::size_t i = 1; i < waits.size(); ++i) EXPECT_GT(waits[i], waits[i - 1] * 3 / 2);
}

TEST(LevelPolicy, DoesNotGoBackWhereExactWouldTakeMoreThanHalfOfTheBudget) {
  LevelPolicy policy(0);
  Measured process(2);
  policy.exceeded(0);
  process.run(policy, 6000, 60 * kSecond);  // exact: 16 ms a second, of 20
  EXPECT_EQ(policy.level(), Level::kWindows);
}

TEST(LevelPolicy, KeepsItsPlanWhenTheRateChangesLittle) {
  LevelPolicy policy(0);
  Measured process(2);
  policy.exceeded(0);
  process.run(policy, 100e3, 5 * kSecond);
  WindowPlan plan = policy.plan();
  process.run(policy, 120e3, 5 * kSecond);
  EXPECT_EQ(policy.plan(), plan);
  process.run(policy, 2e6, 10 * kSecond);
  EXPECT_LT(policy.plan().length_ns, plan.length_ns);
}

using Times = std::vector<ThreadTime>;
constexpr std::uint64_t kMs = 1'000'000;

// A second of two threads, ten windows of 10 ms. `cost`: of the probes, in each millisecond of the first one in windows.
OwnTime ten_windows(double cost) {
  ThreadWork work;
  Backlog backlog(0, 0);
  std::uint64_t now = 0, first = 5 * kMs, second = 7 * kMs;
  for (int window = 0; window < 10; ++window) {
    work.opened(now, Times{{1, first}, {2, second}});
    first += 10 * kMs, second += 5 * kMs, now += 10 * kMs;
    work.ended(now, Times{{1, first}, {2, second}});
    for (int i = 0; i < 10; ++i) work.allocated(1, cost, true);
    work.count(10 * kMs, backlog);
    first += 90 * kMs, second += 45 * kMs, now += 90 * kMs;
  }
  work.opened(now, Times{{1, first}, {2, second}});
  return work.sum();
}

// One window of 10 ms, of which 8 ms count.
OwnTime one_window(std::uint64_t ran_ns, double cost_ns, bool counts = true) {
  ThreadWork work;
  work.opened(50 * kMs, Times{{1, 0}, {2, 0}});
  work.ended(60 * kMs, Times{{1, ran_ns}, {2, 10 * kMs}});
  work.allocated(1, cost_ns, true);
  if (counts) work.count(8 * kMs, Backlog(0, 0));
  return work.sum();
}

TEST(ThreadWork, WhereProbesTakeHalfOfAThreadsTimeItsWindowsCountTwice) {
  EXPECT_NEAR(ten_windows(0.5 * kMs).factor(), 1.9, 0.06) << "windows are a tenth of all time";
}

TEST(ThreadWork, WhatProbesHardlyTakeCountsOnce) { EXPECT_NEAR(ten_windows(0.01 * kMs).factor(), 1, 0.02); }

TEST(ThreadWork, OfAThreadThatAllocatesTheCountedPartOfItsTimeIsWork) {
  EXPECT_EQ(one_window(5 * kMs, 0), (OwnTime{4 * kMs, 5 * kMs, 8 * kMs, 10 * kMs, 0})) << "the other thread allocates nothing";
  EXPECT_EQ(one_window(5 * kMs, 1e6), (OwnTime{32 * kMs / 10, 4 * kMs, 8 * kMs, 10 * kMs, 8 * kMs / 10}));
}

TEST(ThreadWork, AWindowThatMissedHitsCountsNowhere) {
  EXPECT_EQ(one_window(5 * kMs, 0, false), (OwnTime{0, 5 * kMs, 0, 10 * kMs, 0}));
}

TEST(ThreadWork, AThreadThatFellBehindCountsFromTheOpeningToWhereItWouldHaveBeen) {
  ThreadWork work;
  Backlog backlog(0, 1e6);
  work.opened(0, Times{{1, 0}});
  for (std::uint64_t i = 1; i <= 5; ++i) backlog.add(1, 2 * i * kMs, 0);
  work.ended(10 * kMs, Times{{1, 10 * kMs}});
  for (int i = 0; i < 5; ++i) work.allocated(1, 1e6, true);
  work.count(5 * kMs, backlog);
  EXPECT_EQ(work.sum().covered_ns, 5 * kMs) << "all of its work: the probes took the other half";
}

TEST(ThreadWork, AWindowThatFoundItsThreadsWaitingForACpuCountsMore) {
  ThreadWork work;
  work.opened(0, Times{{1, 0}});
  work.ended(10 * kMs, Times{{1, 5 * kMs}});
  work.allocated(1, 0, true);
  work.count(10 * kMs, Backlog(0, 0));
  work.opened(510 * kMs, Times{{1, 505 * kMs}});
  EXPECT_NEAR(work.sum().factor(), 1.98, 0.04) << "it ran half of the window, and almost all of the time";
}

TEST(ThreadWork, WhatThreadsDidBeforeTheFirstWindowAndBetweenTwoStretchesIsLeftOut) {
  ThreadWork work;
  Backlog backlog(0, 0);
  work.opened(50 * kMs, Times{{1, 100 * kMs}});
  work.ended(51 * kMs, Times{{1, 101 * kMs}});
  work.allocated(1, 0, true);
  work.count(kMs, backlog);
  work.begin();
  work.opened(900 * kMs, Times{{1, 900 * kMs}});
  work.ended(902 * kMs, Times{{1, 902 * kMs}});
  work.count(2 * kMs, backlog);
  EXPECT_EQ(work.sum(), (OwnTime{3 * kMs, 3 * kMs, 3 * kMs, 3 * kMs, 0}));
}

TEST(ThreadWork, AThreadThatEndedKeepsItsPart) {
  ThreadWork work;
  work.opened(0, Times{{1, 0}, {2, 0}});
  work.ended(5 * kMs, Times{{1, 3 * kMs}, {2, 4 * kMs}});
  work.allocated(2, 0, true);
  work.count(5 * kMs, Backlog(0, 0));
  work.opened(9 * kMs, Times{{1, 9 * kMs}});
  EXPECT_EQ(work.sum().covered_ns, 4 * kMs);
}

TEST(Backlog, AThreadThatIsAlwaysBusyFallsBehindByWhatItsProbesCost) {
  Backlog backlog(50'000, 1000);
  for (std::uint64_t i = 1; i <= 100; ++i) EXPECT_EQ(backlog.add(7, 50'000 + 2000 * i, 3), 1000 * i);
  EXPECT_EQ(backlog.behind_ns(7), 100'000);
  EXPECT_EQ(backlog.most_behind_ns(), 100'000);
  EXPECT_EQ(backlog.behind_ns(8), 0) << "it allocated nothing";
  EXPECT_EQ(backlog.add(7, 49'999, 3), Backlog::kBefore);
}

TEST(Backlog, AThreadThatSleepsCatchesUp) {
  Backlog backlog(0, 1000);
  for (std::uint32_t task = 0; task < 10; ++task)
    for (std::uint64_t i = 0; i < 20; ++i) backlog.add(7, 1'000'000 * (task + 1) + 2000 * i, task);
  EXPECT_EQ(backlog.behind_ns(7), 19'000) << "of the last task";
}

TEST(Backlog, ASleepTakesAwayWhatItLastsAtMost) {
  Backlog backlog(0, 1000);
  for (std::uint64_t i = 1; i <= 100; ++i) backlog.add(7, 1500 * i, static_cast<std::uint32_t>(i));
  EXPECT_NEAR(backlog.behind_ns(7), 50'000, 1000) << "each sleep, 500 ns at most, is half as long as what the probes cost";
}

TEST(OwnTime, TheMoreProbesTakeTheLessIsKnown) {
  EXPECT_NEAR(ten_windows(0.5 * kMs).error(), 1 / 7.0, 0.01);
  EXPECT_NEAR(ten_windows(0.05 * kMs).error(), 1 / 7.0 / 19, 0.01);
}

TEST(OwnTime, WhatIsNotKnownIsNotCorrected) {
  EXPECT_EQ(OwnTime().factor(), 1);
  EXPECT_NEAR((OwnTime{100'000, 90'000'000, 1'000'000, 1'000'000'000}.factor()), 1, 0.05) << "too little was seen";
  EXPECT_NEAR((OwnTime{1'000'000, 900'000'000, 10'000'000, 1'000'000'000}.factor()), 6.4, 0.1) << "of 9";
  EXPECT_NEAR((OwnTime{200'000'000, 90'000'000'000, 100'000'000'000, 100'000'000'000}.factor()), 20, 0.1) << "at most";
  // The probes took seven times as much as the program.
  EXPECT_NEAR((OwnTime{10'000'000, 3'000'000'000, 100'000'000, 10'000'000'000, 70'000'000}.factor()), 1.45, 0.05) << "of 3";
}

TEST(DueTimes, OneInEachIntervalAtAnyPlaceOfIt) {
  DueTimes due(1000, 100, 7);
  std::uint64_t earliest = 100, latest = 0;
  for (std::uint64_t i = 0; i < 500; ++i) {
    std::uint64_t within = due.next_ns() - (1000 + i * 100);
    ASSERT_LT(within, 100u);
    earliest = std::min(earliest, within);
    latest = std::max(latest, within);
    due.taken();
  }
  EXPECT_LT(earliest, 5u);
  EXPECT_GT(latest, 94u);
}

TEST(DueTimes, OfSeveralThatAreLateOneIsKept) {
  DueTimes due(0, 100, 7);
  EXPECT_EQ(due.skip_missed(199), 0u);
  EXPECT_EQ(due.skip_missed(1000), 9u);
  EXPECT_LT(due.next_ns(), 1000u);
  EXPECT_GE(due.next_ns(), 900u);
}

TEST(KeptProbes, WhatWindowsDoNotMeetStaysInPlace) {
  KeptProbes kept;
  constexpr double kPlace = 100'000, kHit = 3000;
  constexpr std::uint64_t kLength = kMillisecond, kInterval = 100 * kMillisecond;
  int windows = 0;
  std::map<std::uint16_t, std::uint64_t> hits{{1, 40}, {2, 0}, {3, 0}};
  std::vector<std::uint16_t> fresh;
  for (; fresh.empty() && windows < 100; ++windows) fresh = kept.window_over(kLength, kInterval, hits, kPlace, kHit);
  EXPECT_EQ(fresh, (std::vector<std::uint16_t>{2, 3}));
  // As likely as not it is hit less often than 0.7 times in 3 ms: 23 times in an interval, which costs less than placing it.
  EXPECT_EQ(windows, 3);
  EXPECT_FALSE(kept.contains(1)) << "that one is hit all the time";
  for (; windows < 1000; ++windows) {
    EXPECT_TRUE(kept.window_over(kLength, kInterval, {{1, 40}}, kPlace, kHit).empty());
    EXPECT_TRUE(kept.worth(10, kHit)) << "a hit now and then is no reason";
  }
  EXPECT_TRUE(kept.contains(2) && kept.contains(3));
}

TEST(KeptProbes, OnesThatAreHitAfterAllGoAtOnceAndAreDoubtedMoreEachTime) {
  KeptProbes kept;
  constexpr double kPlace = 100'000, kHit = 3000;
  auto windows_until_kept = [&] {
    for (int windows = 1;; ++windows)
      if (!kept.window_over(kMillisecond, 100 * kMillisecond, {{1, 9}, {2, 0}}, kPlace, kHit).empty()) return windows;
  };
  EXPECT_EQ(windows_until_kept(), 3);
  EXPECT_TRUE(kept.worth(600, kHit)) << "less than what twenty windows save";
  EXPECT_FALSE(kept.worth(100, kHit));
  EXPECT_TRUE(kept.empty());
  EXPECT_TRUE(kept.worth(1'000'000, kHit)) << "hits of the exact level concern nobody";
  EXPECT_EQ(windows_until_kept(), 9) << "four times as long";
}

TEST(KeptProbes, WhereInterruptsAreCheapOnlyWhatIsHardlyEverHitStays) {
  KeptProbes kept;
  int windows = 0;
  while (kept.window_over(kMillisecond, 100 * kMillisecond, {{1, 9}, {2, 0}}, 4000, 1500).empty()) ++windows;
  EXPECT_EQ(windows, 26);
}

TEST(KeptProbes, AWindowInWhichTheProgramDidNotRunTellsNothing) {
  KeptProbes kept;
  for (int windows = 0; windows < 1000; ++windows)
    EXPECT_TRUE(kept.window_over(kMillisecond, 100 * kMillisecond, {{1, 0}, {2, 0}}, 100'000, 3000).empty());
}

}  // namespace
}  // namespace dwell::memory::windows
