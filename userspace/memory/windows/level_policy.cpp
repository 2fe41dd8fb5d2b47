// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/windows/level_policy.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "userspace/base/time_units.h"

namespace dwell::memory::windows {
namespace {

constexpr std::uint64_t kRemembered = 3 * kSecond;  // of what windows saw
constexpr std::uint64_t kDecideEvery = kSecond / 2;
constexpr std::uint64_t kShortest = 200'000, kLongest = 5 * kMillisecond;
constexpr double kMostWindows = 10, kFewestWindows = 0.5;  // a second
// More would not make figures much better, and cost dwell itself more: each block that is met is looked at again and again.
constexpr double kMostHits = 400, kFewestHits = 20;
constexpr double kPlanned = 0.7;        // of the budget: the rest is for bursts
constexpr double kForToggles = 0.25;    // of that
constexpr double kBusy = 0.9;           // of windows that are less busy than what counts as a peak
constexpr double kExactShare = 0.5;     // of the budget that exact may be expected to cost, to go back to it
constexpr double kOtherPlan = 1.5;      // a plan is changed when another one differs by this factor
constexpr std::uint64_t kFirstPatience = 5 * kSecond, kMostPatience = 320 * kSecond;
constexpr std::uint64_t kCalm = 60 * kSecond;  // at the exact level, after which patience begins anew
constexpr std::uint64_t kNeeded = 2 * kSecond;  // of windows, before exact is considered

bool differs(double a, double b) { return a > b * kOtherPlan || b > a * kOtherPlan; }

}  // namespace

double LevelPolicy::rate() const {
  double covered = 0, allocations = 0;
  for (const Seen& seen : seen_) covered += static_cast<double>(seen.covered_ns), allocations += static_cast<double>(seen.allocations);
  return covered > 0 ? allocations * 1e9 / covered : 0;
}

double LevelPolicy::peak() const {
  std::vector<double> rates;
  for (const Seen& seen : seen_)
    if (seen.covered_ns) rates.push_back(static_cast<double>(seen.allocations) * 1e9 / static_cast<double>(seen.covered_ns));
  if (rates.empty()) return 0;
  std::sort(rates.begin(), rates.end());
  return rates[static_cast<std::size_t>(kBusy * static_cast<double>(rates.size() - 1))];
}

void LevelPolicy::exceeded(std::uint64_t now_ns) {
  if (level_ == Level::kWindows) return;
  bool calm = now_ns - since_ns_ > kCalm;
  patience_ns_ = patience_ns_ == 0 || calm ? kFirstPatience : std::min(2 * patience_ns_, kMostPatience);
  level_ = Level::kWindows;
  since_ns_ = decided_ns_ = now_ns;
  plan_ = {};
  seen_.clear();
}

void LevelPolicy::saw_window(std::uint64_t now_ns, std::uint64_t covered_ns, std::uint64_t allocations) {
  while (seen_.size() > 1 && now_ns - seen_.front().time_ns > kRemembered) seen_.pop_front();
  seen_.push_back({now_ns, covered_ns, allocations});
}

// What a window costs is reckoned as when the process is busy: windows must neither meet their limit then, as what comes late
// in a burst would be missed, nor have to wait for the budget.
WindowPlan LevelPolicy::plan_for(double income_ns, const LevelPrices& prices) const {
  double spendable = kPlanned * income_ns;
  double mean = std::max(rate(), 1.0) / 1e9, busy = std::max(peak() / 1e9, mean);
  double windows = std::clamp(kForToggles * spendable / prices.window, kFewestWindows, kMostWindows);
  double hits = (spendable - windows * prices.window) / (windows * prices.allocation);
  double length = std::min({std::max(hits, kFewestHits) / busy, kMostHits / mean, static_cast<double>(kLongest)});
  length = std::max(length, static_cast<double>(kShortest));
  double cost = length * busy * prices.allocation + prices.window;
  windows = std::clamp(spendable / cost, kFewestWindows, windows);
  return {static_cast<std::uint64_t>(length), static_cast<std::uint64_t>(1e9 / windows),
          static_cast<std::uint64_t>(std::ceil(std::max(length * busy, kFewestHits)))};
}

bool LevelPolicy::decide(std::uint64_t now_ns, double income_ns, const LevelPrices& prices) {
  if (level_ == Level::kExact || now_ns - decided_ns_ < kDecideEvery || seen_.empty()) return false;
  decided_ns_ = now_ns;
  double exact = rate() * (prices.allocation + prices.free);
  if (now_ns - since_ns_ >= std::max(patience_ns_, kNeeded) && exact <= kExactShare * income_ns) {
    level_ = Level::kExact;
    since_ns_ = now_ns;
    return true;
  }
  WindowPlan plan = plan_for(income_ns, prices);
  if (!differs(static_cast<double>(plan.length_ns), static_cast<double>(plan_.length_ns)) &&
      !differs(static_cast<double>(plan.interval_ns), static_cast<double>(plan_.interval_ns)))
    return false;
  plan_ = plan;
  return true;
}

}  // namespace dwell::memory::windows
