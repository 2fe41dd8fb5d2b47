// SPDX-License-Identifier: Apache-2.0
#include "userspace/record/look_budget.h"

#include <algorithm>

#include "userspace/base/time_units.h"

namespace dwell {
namespace {

constexpr auto kAdvanceNs = static_cast<std::int64_t>(100 * kMillisecond);
constexpr std::uint64_t kLongestWaitNs = 1000 * kMillisecond;
constexpr std::int64_t kShare = 20;

}  // namespace

std::int64_t LookBudget::credit_at(std::uint64_t now_ns) const {
  if (counted_ns_ == 0) return kAdvanceNs;
  std::int64_t earned = static_cast<std::int64_t>(now_ns - std::min(now_ns, counted_ns_)) / kShare;
  return std::min(credit_ns_ + earned, kAdvanceNs);
}

bool LookBudget::allows(std::uint64_t now_ns) const {
  return credit_at(now_ns) > 0 || now_ns - std::min(now_ns, counted_ns_) >= kLongestWaitNs;
}

void LookBudget::spent(std::uint64_t began_ns, std::uint64_t ended_ns) {
  // A single long look, as at a large program for the first time, is not paid for with more than the wait.
  std::int64_t took = static_cast<std::int64_t>(ended_ns - std::min(ended_ns, began_ns));
  constexpr std::int64_t kDeepestDebt = static_cast<std::int64_t>(kLongestWaitNs) / kShare;
  credit_ns_ = std::max(credit_at(ended_ns) - took, -kDeepestDebt);
  counted_ns_ = ended_ns;
}

std::uint64_t Pace::after_news(std::uint64_t now_ns) {
  constexpr std::uint64_t kPeriodNs = 100 * kMillisecond, kFew = 30, kStorm = kFew + 5, kGatherNs = 10 * kMillisecond;
  if (now_ns - std::min(now_ns, since_ns_) >= kPeriodNs) {
    since_ns_ = now_ns;
    count_ = count_ >= kStorm ? kFew : 0;  // a storm that goes on gets no new advance
  }
  return ++count_ > kFew ? now_ns + kGatherNs : now_ns;
}

std::uint64_t look_pause_ns(std::uint64_t age_ns, std::uint64_t look_ns) {
  constexpr std::uint64_t kAgeShare = 60, kCostShare = 100, kFirstCostShare = 10;
  std::uint64_t cost_share = age_ns ? kCostShare : kFirstCostShare;
  return std::max(std::clamp(age_ns / kAgeShare, kSecond, 60 * kSecond), look_ns * cost_share);
}

}  // namespace dwell
