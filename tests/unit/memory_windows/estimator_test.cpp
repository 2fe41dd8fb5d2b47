// SPDX-License-Identifier: Apache-2.0
// What windows and looks make of simulated programs, of which all is known.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/unit/memory_windows/simulated_program.h"
#include "userspace/memory/windows/due_times.h"
#include "userspace/memory/windows/liveness_estimator.h"

namespace dwell::memory::windows {
namespace {

constexpr std::uint64_t kMillisecond = 1'000'000, kSecond = 1'000 * kMillisecond;
constexpr std::uint64_t kLength = 2 * kMillisecond, kInterval = 100 * kMillisecond;

struct Outcome {
  std::vector<SiteEstimate> sites;
  std::vector<double> truth;
};

// The driver's work, in simulated time.
class Watcher {
 public:
  Watcher(const std::vector<SimulatedSite>& sites, std::uint64_t seed) : program_(sites, seed), due_(0, kInterval, seed + 1), sites_(sites.size()) {}

  Outcome run(std::uint64_t until_ns) {
    while (now_ns_ < until_ns) {
      std::uint64_t next = std::min(due_.next_ns(), estimator_.next_look_ns().value_or(~std::uint64_t{0}));
      advance(std::max(now_ns_, std::min(next, until_ns)));
      if (due_.next_ns() <= now_ns_) window();
      LookBatch batch = estimator_.due(now_ns_);
      ask(batch);
      estimator_.answer(batch, now_ns_);
    }
    LookBatch all = estimator_.all();
    ask(all);
    estimator_.answer(all, now_ns_);
    Outcome outcome;
    outcome.sites.resize(sites_);
    double share = static_cast<double>(kLength) / kInterval;
    for (const SiteEstimate& one : estimator_.estimate(now_ns_, 1, share)) outcome.sites[one.site] = one;
    for (std::uint32_t site = 0; site < sites_; ++site)
      outcome.truth.push_back(program_.live_bytes(site, now_ns_ - LivenessEstimator::kLeastAge));
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
  void window() {
    due_.taken();
    std::uint64_t start = now_ns_;
    LookBatch older = estimator_.open_window(start);
    ask(older);
    estimator_.answer_open(older, start);
    open_ = true;
    advance(start + kLength / 2);
    LookBatch middle = estimator_.middle_of_window();
    ask(middle);
    estimator_.answer_middle(middle, now_ns_);
    advance(start + kLength);
    open_ = false;
    LookBatch all = estimator_.close_window();
    ask(all);
    estimator_.answer_close(all, now_ns_, {kLength, static_cast<double>(kInterval)});
  }

  SimulatedProgram program_;
  LivenessEstimator estimator_{0};
  DueTimes due_;
  std::size_t sites_;
  std::uint64_t now_ns_ = 0;
  bool open_ = false;
};

Outcome watched(const std::vector<SimulatedSite>& sites, std::uint64_t seed, std::uint64_t seconds = 30) {
  return Watcher(sites, seed).run(seconds * kSecond);
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

// Over many programs: the truth lies in the interval as often as that says, and what is not retained is not shown.
TEST(Liveness, IntervalsHoldTheTruthAsOftenAsTheySay) {
  int inside = 0, all = 0, false_sites = 0;
  double error = 0, leaks = 0;
  for (std::uint64_t seed = 10; seed < 22; ++seed) {
    std::mt19937_64 random(seed);
    auto between = [&](double low, double high) { return std::uniform_real_distribution<double>(low, high)(random); };
    auto content = [&] { return between(0, 1) < 0.7 ? (between(0, 1) < 0.5 ? Content::kUnique : Content::kMutating) : Content::kConstant; };
    std::vector<SimulatedSite> sites = {{between(50, 300), 64, Fate::kLeak, 0, Content::kUnique},
                                        {between(50, 300), 96, Fate::kLeak, 0, Content::kMutating},
                                        {between(1000, 4000), 64, Fate::kTemporary, between(1e4, 1e7), content()},
                                        {between(500, 2000), 96, Fate::kTemporary, between(2e7, 2e8), content()},
                                        {between(50, 300), 128, Fate::kSession, between(1e9, 6e9), content()},
                                        {between(100, 500), 256, Fate::kCache, between(200, 2000), content()}};
    Outcome outcome = watched(sites, seed, 25);
    double total = 0;
    for (double truth : outcome.truth) total += truth;
    for (std::size_t site = 0; site < sites.size(); ++site) {
      const SiteEstimate& estimate = outcome.sites[site];
      if (outcome.truth[site] < 0.01 * total && estimate.bytes < 0.01 * total) continue;
      ++all;
      inside += holds(estimate, outcome.truth[site]);
      false_sites += estimate.identity && outcome.truth[site] < 0.01 * total && estimate.bytes > 0.03 * total;
    }
    error += outcome.sites[0].bytes / outcome.truth[0] - 1;
    ++leaks;
  }
  EXPECT_GE(static_cast<double>(inside) / all, 0.88) << inside << " of " << all;
  EXPECT_LE(false_sites, 2);
  EXPECT_NEAR(error / leaks, 0, 0.1) << "a bias";
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
  std::vector<SiteEstimate> sites = estimator.estimate(20 * kSecond, 1, 0);
  ASSERT_EQ(sites.size(), 1u);
  EXPECT_NEAR(sites[0].bytes, program.live_bytes(0, 10 * kSecond), 64);
}

}  // namespace
}  // namespace dwell::memory::windows
