// SPDX-License-Identifier: Apache-2.0
// What windows and looks make of simulated programs, of which all is known.
#include <absl/container/flat_hash_map.h>
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

#include "tests/unit/memory_windows/simulated_program.h"
#include "userspace/memory/windows/due_times.h"
#include "userspace/memory/windows/growth_trigger.h"
#include "userspace/memory/windows/liveness_estimator.h"

namespace dwell::memory::windows {
namespace {

constexpr std::uint64_t kMillisecond = 1'000'000, kSecond = 1'000 * kMillisecond;
constexpr std::uint64_t kBurstEvery = 5 * kSecond, kBurstLasts = 100 * kMillisecond;  // of a simulated program
constexpr std::uint64_t kLength = 2 * kMillisecond, kInterval = 100 * kMillisecond;

struct Outcome {
  std::vector<SiteEstimate> sites;
  std::vector<double> truth;
};

// The driver's work, in simulated time.
class Watcher {
 public:
  // `start_ns`: for how long the program has run when windows begin.
  Watcher(const std::vector<SimulatedSite>& sites, std::uint64_t seed, bool walks, std::uint64_t start_ns, std::uint64_t interval_ns = kInterval,
          std::uint64_t length_ns = kLength)
      : program_(sites, seed), estimator_(start_ns), due_(start_ns, interval_ns, seed + 1), sites_(sites.size()), start_ns_(start_ns),
        interval_ns_(interval_ns), length_ns_(length_ns), walks_(walks) {}

  void follow_growth() { growth_ = true; }
  Outcome run(std::uint64_t until_ns) {
    advance(start_ns_);
    for (const CensusBlock& block : program_.walk()) census_.add_before(block);
    while (now_ns_ < until_ns) {
      std::uint64_t next = std::min(due_.next_ns(), estimator_.next_look_ns().value_or(~std::uint64_t{0}));
      if (growth_) next = std::min(next, now_ns_ + 4 * kMillisecond);
      advance(std::max(now_ns_, std::min(next, until_ns)));
      if (due_.next_ns() <= now_ns_) due_.taken(), window(interval_ns_, LivenessEstimator::Why::kChance);
      // As a driver that looks every 4 ms at how many pages there are, and is told of bursts 8 ms later.
      if (growth_ && now_ns_ % kBurstEvery < kBurstLasts && now_ns_ >= next_growth_ns_) {
        next_growth_ns_ = now_ns_ + 12 * kMillisecond;
        window(0, LivenessEstimator::Why::kGrowth);
      }
      LookBatch batch = estimator_.due(now_ns_);
      ask(batch);
      estimator_.answer(batch, now_ns_);
    }
    LookBatch all = estimator_.all();
    ask(all);
    estimator_.answer(all, now_ns_);
    Outcome outcome;
    outcome.sites.resize(sites_);
    double share = static_cast<double>(length_ns_) / static_cast<double>(interval_ns_);
    HeapCount count = counted();
    for (const SiteEstimate& one : estimator_.estimate(now_ns_, 1, share, walks_ ? &count : nullptr).sites) outcome.sites[one.site] = one;
    for (std::uint32_t site = 0; site < sites_; ++site)
      outcome.truth.push_back(program_.live_bytes(site, now_ns_ - (walks_ ? 0 : LivenessEstimator::kLeastAge), start_ns_));
    return outcome;
  }

 private:
  void advance(std::uint64_t to_ns) {
    program_.run_until(to_ns, [&](std::uint64_t time_ns, std::uint64_t address, std::uint64_t size, std::uint32_t site) {
      if (open_) estimator_.met({time_ns, address, size, site});
    });
    now_ns_ = to_ns;
  }
  void ask(LookBatch& batch) {
    batch.looks.resize(batch.questions.size());
    program_.look(batch.questions, batch.looks);
  }
  HeapCount counted() {
    census_.end_before();
    HeapCount count;
    count.since_ns = start_ns_;
    count.constants = {{SimulatedProgram::kTypes, SimulatedProgram::kTypes + 4096}};
    for (const CensusBlock& block : program_.walk()) count.cell_at[block.address] = census_.add_now(block);
    count.cells = census_.counts();
    return count;
  }
  void window(std::uint64_t interval_ns, LivenessEstimator::Why why) {
    std::uint64_t start = now_ns_;
    LookBatch older = estimator_.open_window(start, why);
    ask(older);
    estimator_.answer_open(older, start);
    open_ = true;
    advance(start + length_ns_ / 2);
    LookBatch middle = estimator_.middle_of_window();
    ask(middle);
    estimator_.answer_middle(middle, now_ns_);
    advance(start + length_ns_);
    open_ = false;
    LookBatch all = estimator_.close_window();
    ask(all);
    estimator_.answer_close(all, now_ns_, {length_ns_, static_cast<double>(interval_ns)});
  }

  SimulatedProgram program_;
  LivenessEstimator estimator_;
  DueTimes due_;
  std::size_t sites_;
  std::uint64_t start_ns_, interval_ns_, length_ns_, now_ns_ = 0;
  bool walks_, open_ = false;
  bool growth_ = false;  // windows that growth begins
  std::uint64_t next_growth_ns_ = 0;
  Census census_;
};

Outcome watched(const std::vector<SimulatedSite>& sites, std::uint64_t seed, std::uint64_t seconds = 30) {
  return Watcher(sites, seed, false, 0).run(seconds * kSecond);
}

// The same, with walks of the heap, of a program that had run before.
Outcome watched_and_walked(const std::vector<SimulatedSite>& sites, std::uint64_t seed, std::uint64_t seconds = 25) {
  constexpr std::uint64_t kBefore = 8;
  return Watcher(sites, seed, true, kBefore * kSecond).run((kBefore + seconds) * kSecond);
}

bool holds(const SiteEstimate& site, double truth) { return site.low <= truth && truth <= site.high; }

TEST(Liveness, ALeakAmidTemporaryTrafficIsTold) {
  Outcome outcome = watched({{400, 64, Fate::kLeak}, {6000, 64, Fate::kTemporary, 1e6}, {2000, 96, Fate::kTemporary, 30e6}}, 1);
  EXPECT_NEAR(outcome.sites[0].bytes / outcome.truth[0], 1, 0.25);
  EXPECT_TRUE(holds(outcome.sites[0], outcome.truth[0])) << outcome.sites[0].low << " " << outcome.truth[0];
  EXPECT_TRUE(outcome.sites[0].identity);
  EXPECT_LT(outcome.sites[1].bytes, 0.03 * outcome.truth[0]);
  EXPECT_LT(outcome.sites[2].bytes, 0.03 * outcome.truth[0]);
}

// The leak takes the slots that blocks of 50 ms leave: each is looked at while several hold it one after the other.
TEST(Liveness, ALeakOnHotSlotsIsToldFromWhatHeldThemBefore) {
  Outcome outcome = watched({{300, 64, Fate::kLeak}, {4000, 64, Fate::kTemporary, 50e6}}, 2);
  EXPECT_TRUE(holds(outcome.sites[0], outcome.truth[0]));
  EXPECT_LT(outcome.sites[1].bytes, 0.05 * outcome.truth[0]);
}

TEST(Liveness, AWordThatChangesIsLearnedAndNotTakenForDeath) {
  Outcome outcome = watched({{400, 64, Fate::kLeak, 0, Content::kMutating}, {4000, 64, Fate::kTemporary, 1e6}}, 3);
  EXPECT_TRUE(outcome.sites[0].identity);
  EXPECT_NEAR(outcome.sites[0].bytes / outcome.truth[0], 1, 0.25);
}

TEST(Liveness, AWordThatTheNextBlockInThePlaceHasAgainProvesNothing) {
  std::vector<SimulatedSite> sites = {{400, 64, Fate::kLeak}, {4000, 64, Fate::kTemporary, 30e6, Content::kOfItsPlace}};
  Outcome outcome = watched(sites, 5);
  EXPECT_FALSE(outcome.sites[1].identity);
  EXPECT_TRUE(holds(outcome.sites[1], outcome.truth[1])) << outcome.sites[1].low << " " << outcome.truth[1];
  EXPECT_LT(outcome.sites[1].low, 0.05 * outcome.truth[0]);
  EXPECT_TRUE(outcome.sites[0].identity);
}

TEST(Liveness, EqualBlocksGiveARangeThatHoldsTheTruth) {
  std::vector<SimulatedSite> sites = {{300, 64, Fate::kLeak, 0, Content::kConstant}, {4000, 64, Fate::kTemporary, 1e6, Content::kConstant},
                                      {500, 128, Fate::kCache, 1000, Content::kConstant}};
  Outcome outcome = watched(sites, 4);
  for (std::size_t site = 0; site < sites.size(); ++site) {
    EXPECT_FALSE(outcome.sites[site].identity);
    EXPECT_TRUE(holds(outcome.sites[site], outcome.truth[site]))
        << site << ": " << outcome.sites[site].low << " to " << outcome.sites[site].high << ", is " << outcome.truth[site];
  }
  EXPECT_LT(outcome.sites[1].low, 0.02 * outcome.truth[0]);
}

TEST(Liveness, ACacheHoldsWhatItHolds) {
  Outcome outcome = watched({{800, 64, Fate::kCache, 2000}, {4000, 64, Fate::kTemporary, 2e6}}, 5);
  EXPECT_TRUE(holds(outcome.sites[0], outcome.truth[0]))
      << outcome.sites[0].low << " to " << outcome.sites[0].high << ", is " << outcome.truth[0];
}

struct Coverage {
  int inside = 0, all = 0, false_sites = 0;
  double error = 0;            // of leaks
  std::vector<double> widths;  // of intervals, in truths, of what retains 3 % or more
  double median_width() {
    std::ranges::nth_element(widths, widths.begin() + static_cast<std::ptrdiff_t>(widths.size() / 2));
    return widths[widths.size() / 2];
  }
};

// Over many programs, of whose call sites some have blocks with equal contents.
Coverage coverage_of(bool walked, double constant, std::uint64_t programs) {
  Coverage sum;
  for (std::uint64_t seed = 10; seed < 10 + programs; ++seed) {
    std::mt19937_64 random(seed);
    auto between = [&](double low, double high) { return std::uniform_real_distribution<double>(low, high)(random); };
    auto content = [&] { return between(0, 1) > constant ? (between(0, 1) < 0.5 ? Content::kUnique : Content::kMutating) : Content::kConstant; };
    std::vector<SimulatedSite> sites = {{between(50, 300), 64, Fate::kLeak, 0, Content::kUnique},
                                        {between(50, 300), 96, Fate::kLeak, 0, constant > 0.5 ? Content::kConstant : Content::kMutating},
                                        {between(1000, 4000), 64, Fate::kTemporary, between(1e4, 1e7), content()},
                                        {between(500, 2000), 96, Fate::kTemporary, between(2e7, 2e8), content()},
                                        {between(50, 300), 128, Fate::kSession, between(1e9, 6e9), content()},
                                        {between(100, 500), 256, Fate::kCache, between(200, 2000), content()}};
    Outcome outcome = walked ? watched_and_walked(sites, seed) : watched(sites, seed, 25);
    double total = 0;
    for (double truth : outcome.truth) total += truth;
    for (std::size_t site = 0; site < sites.size(); ++site) {
      const SiteEstimate& estimate = outcome.sites[site];
      if (outcome.truth[site] < 0.01 * total && estimate.bytes < 0.01 * total) continue;
      ++sum.all;
      sum.inside += holds(estimate, outcome.truth[site]);
      if (outcome.truth[site] >= 0.03 * total) sum.widths.push_back((estimate.high - estimate.low) / outcome.truth[site]);
      sum.false_sites += estimate.identity && outcome.truth[site] < 0.01 * total && estimate.bytes > 0.03 * total;
    }
    sum.error += (outcome.sites[0].bytes / outcome.truth[0] - 1) / static_cast<double>(programs);
  }
  return sum;
}

// The truth lies in the interval as often as that says, and what is not retained is not shown.
TEST(Liveness, IntervalsHoldTheTruthAsOftenAsTheySay) {
  Coverage seen = coverage_of(false, 0.3, 12);
  EXPECT_GE(static_cast<double>(seen.inside) / seen.all, 0.88) << seen.inside << " of " << seen.all;
  EXPECT_LE(seen.false_sites, 2);
  EXPECT_NEAR(seen.error, 0, 0.1) << "a bias";
}

TEST(Liveness, WalksOfTheHeapNarrowWhatWindowsLeaveOpen) {
  Coverage seen = coverage_of(true, 0.3, 8);
  EXPECT_GE(static_cast<double>(seen.inside) / seen.all, 0.9) << seen.inside << " of " << seen.all;
  EXPECT_NEAR(seen.error, 0, 0.05) << "a bias";
  EXPECT_LT(seen.median_width(), 0.35);
}

TEST(Liveness, WalksOfTheHeapTellWhatEqualBlocksHoldTogether) {
  Coverage seen = coverage_of(true, 0.9, 6);
  EXPECT_GE(static_cast<double>(seen.inside) / seen.all, 0.9) << seen.inside << " of " << seen.all;
  EXPECT_NEAR(seen.error, 0, 0.05) << "a bias";
  EXPECT_LT(seen.median_width(), 1);
}

TEST(Liveness, KnownBlocksAreWatchedOn) {
  LivenessEstimator estimator(0);
  SimulatedProgram program({{100, 64, Fate::kLeak}}, 1);
  std::vector<WindowEvent> events;
  program.run_until(10 * kSecond, [&](std::uint64_t time, std::uint64_t address, std::uint64_t size, std::uint32_t site) {
    events.push_back({time, address, size, site});
  });
  for (std::size_t i = 0; i < events.size(); i += 2) estimator.add_known(events[i], 2);
  LookBatch all = estimator.all();
  all.looks.resize(all.questions.size());
  program.look(all.questions, all.looks);
  estimator.answer(all, 20 * kSecond);
  std::vector<SiteEstimate> sites = estimator.estimate(20 * kSecond, 1, 0).sites;
  ASSERT_EQ(sites.size(), 1u);
  EXPECT_NEAR(sites[0].bytes, program.live_bytes(0, 10 * kSecond), 64);
}

// Leaks of unique blocks, and temporaries whose places are given out again while the window's last looks are made.
TEST(Liveness, WhatIsGivenOutAgainDuringTheLastLooksIsNotMistaken) {
  LivenessEstimator estimator(0);
  constexpr int kWindows = 12, kLeaks = 3;
  std::uint64_t number = 1;
  auto words_at = [](std::uint64_t address, std::uint64_t of) { return Words{address, of, 0}; };
  absl::flat_hash_map<std::uint64_t, std::uint64_t> content;  // by address
  auto answer = [&](LookBatch& batch) {
    batch.looks.resize(batch.questions.size());
    for (std::size_t i = 0; i < batch.questions.size(); ++i)
      batch.looks[i] = {BlockState::kLive, words_at(batch.questions[i].address, content[batch.questions[i].address])};
  };
  for (int window = 0; window < kWindows; ++window) {
    std::uint64_t open_ns = kSecond + window * kInterval, now_ns = open_ns + kLength;
    LookBatch older = estimator.open_window(open_ns);
    answer(older);
    estimator.answer_open(older, open_ns);
    auto meet = [&](std::uint64_t address, std::uint32_t site, std::uint64_t at_ns) {
      content[address] = ++number;
      estimator.met({open_ns + at_ns, address, 64, site, false, Allocator::kGlibc, at_ns});
    };
    for (int i = 0; i < kLeaks; ++i) meet(0x10000 + 0x40 * static_cast<std::uint64_t>(window * kLeaks + i), 0, 1000);
    meet(0x9000, 1, 2000);
    LookBatch middle = estimator.middle_of_window();
    answer(middle);
    estimator.answer_middle(middle, now_ns);
    LookBatch last = estimator.close_window();
    for (std::uint64_t slot = 0; slot < 30; ++slot) meet(0x9000 + 0x40 * slot, 1, kLength + 1000);
    answer(last);
    estimator.answer_close(last, now_ns, {kLength, static_cast<double>(kInterval)});
    for (std::uint64_t later_ns : {now_ns + 10 * kMillisecond, now_ns + 50 * kMillisecond}) {
      LookBatch due = estimator.due(later_ns);
      answer(due);
      estimator.answer(due, later_ns);
    }
  }
  EXPECT_EQ(estimator.all().questions.size(), std::size_t{kWindows * kLeaks}) << "what was met too late is no sample";
  std::uint64_t now_ns = 2 * kSecond + kWindows * kInterval + LivenessEstimator::kLeastAge;
  for (const SiteEstimate& one : estimator.estimate(now_ns, 1, 0.02).sites) {
    if (one.site != 0) continue;
    EXPECT_TRUE(one.identity);
    EXPECT_EQ(one.bytes, kWindows * kLeaks * 64.0 * kInterval / kLength);
  }
}

// Bursts of a tenth of a second each five seconds, beside temporaries of their size and a leak; a window a second meets few of them.
// Windows that growth begins name the call site, and the walks tell how much there is.
TEST(Bursts, ThatGrowthTellsOfAreNamedAndWithinTheirRange) {
  constexpr std::uint64_t kBefore = 8, kSeeds = 8;
  std::vector<SimulatedSite> sites = {{400, 64, Fate::kLeak}, {2000, 96, Fate::kTemporary, 1e6}, {100, 96, Fate::kBurst}, {100, 640, Fate::kBurst}};
  int named = 0, within = 0, named_by_chance = 0;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    for (bool growth : {false, true}) {
      Watcher watcher(sites, seed, true, kBefore * kSecond, kSecond);
      if (growth) watcher.follow_growth();
      Outcome outcome = watcher.run((kBefore + 20) * kSecond);
      for (std::size_t site : {2, 3}) {
        (growth ? named : named_by_chance) += outcome.sites[site].bytes > 0.5 * outcome.truth[site];
        if (growth) within += holds(outcome.sites[site], outcome.truth[site]);
      }
      if (growth) EXPECT_LT(outcome.sites[1].bytes, 0.03 * outcome.truth[2]) << "temporaries, with seed " << seed;
    }
  }
  EXPECT_EQ(named, 2 * kSeeds);
  EXPECT_GE(within, 15) << "of 16";
  EXPECT_LE(named_by_chance, 8) << "of 16";
}

// A quiet service, of which a hundredth of the time is watched, in many short windows or in few long ones: what they would have said.
// DWELL_SIMULATED_SECONDS=86400 is a day, and prints it.
TEST(WindowLengths, TellALeakWhetherTheyAreManyOrLong) {
  const std::vector<SimulatedSite> sites = {{2, 512, Fate::kLeak}, {0.2, 4096, Fate::kLeak}, {200, 96, Fate::kTemporary, 1e6}, {50, 512, Fate::kTemporary, 50e6},
                                            {2, 640, Fate::kSession, 100e9}, {5, 256, Fate::kCache, 1000}, {0.5, 1024, Fate::kBurst}};
  const char* wanted = std::getenv("DWELL_SIMULATED_SECONDS");
  std::uint64_t seconds = wanted ? std::strtoull(wanted, nullptr, 10) : 600;
  constexpr std::uint64_t kBefore = 10 * kSecond;
  for (std::uint64_t length_ms : {2, 20, 200, 2000}) {
    std::uint64_t length_ns = length_ms * kMillisecond;
    Outcome outcome = Watcher(sites, 7, true, kBefore, 100 * length_ns, length_ns).run(kBefore + seconds * kSecond);
    const SiteEstimate& leak = outcome.sites[0];
    EXPECT_TRUE(holds(leak, outcome.truth[0])) << length_ms << " ms: " << leak.low << " to " << leak.high << " of " << outcome.truth[0];
    EXPECT_LT(outcome.sites[2].bytes, 0.03 * outcome.truth[0]) << length_ms << " ms";
    if (!wanted) continue;
    for (std::size_t i = 0; i < sites.size(); ++i)
      fmt::print("{} ms, site {}: truth {:.0f} KB, told {:.0f} KB ({:.0f} to {:.0f})\n", length_ms, i, outcome.truth[i] / 1024, outcome.sites[i].bytes / 1024,
                 outcome.sites[i].low / 1024, outcome.sites[i].high / 1024);
  }
}

TEST(Growth, BeginsAWindowWhereMemoryGrowsMuchFasterThanItMostlyDoes) {
  constexpr std::uint64_t kEvery = GrowthTrigger::kLookEveryNs;
  GrowthTrigger trigger;
  std::uint64_t now = kSecond, pages = 10'000;
  auto windows = [&](std::uint64_t looks, std::uint64_t pages_a_look) {
    int begun = 0;
    for (std::uint64_t i = 0; i < looks; ++i) begun += trigger.update(now += kEvery, pages += pages_a_look);
    return begun;
  };
  EXPECT_EQ(windows(1000, 0), 0) << "level";
  EXPECT_EQ(windows(1000, 20), 0) << "within what the kernel's counters leave open";
  EXPECT_EQ(windows(10, 1000), 4) << "a burst of 40 ms: each third look";
  EXPECT_EQ(windows(1000, 0), 0);
  EXPECT_LE(windows(5000, 500), 120) << "grows all the time: that is no burst";
  pages -= 5000;
  EXPECT_EQ(windows(1, 0), 0) << "shrinks";
  EXPECT_FALSE(trigger.update(now + kEvery / 2, pages + 100'000)) << "too soon for a look";
}

TEST(Growth, ReadsWhatIsResident) {
  EXPECT_EQ(resident_in("5120 1733 900 12 0 800 0\n"), 1733u);
  EXPECT_EQ(resident_in("5120"), std::nullopt);
  EXPECT_EQ(resident_in(""), std::nullopt);
}

}  // namespace
}  // namespace dwell::memory::windows
