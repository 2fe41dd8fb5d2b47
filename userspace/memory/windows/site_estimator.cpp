// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/windows/site_estimator.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace dwell::memory::windows {
namespace {

constexpr double kTwoSided95 = 1.96;
constexpr double kSettleNs = 8e6;
constexpr double kFewDeaths = 10;

// Student's t for an effective number of windows, in units of the normal distribution's.
double widened(double windows) {
  constexpr struct {
    double below, t;
  } kTable[] = {{1.5, 6}, {2.5, 4.3}, {3.5, 3.2}, {4.5, 2.8}, {6.5, 2.5}, {10, 2.26}, {20, 2.1}};
  for (const auto& [below, t] : kTable)
    if (windows < below) return t / kTwoSided95;
  return 1.98 / kTwoSided95;
}

// Sums over the samples of a site, window by window.
class Sums {
 public:
  void add(std::uint32_t window, bool sampled, double bytes, double weight) {
    total_ += bytes * weight;
    blocks_ += bytes > 0 ? 1 : 0;
    if (sampled)
      windows_[window] += bytes * weight;
    else if (weight > 1)
      known_squares_ += bytes * weight * bytes * weight;
  }
  double total() const { return total_; }
  double effective() const {
    double sum = 0, squares = 0;
    for (const auto& [window, bytes] : windows_) sum += bytes, squares += bytes * bytes;
    return squares > 0 ? sum * sum / squares : 0;
  }
  // `one_more`: a window more with one block more.
  double variance(double one_more) const {
    double squares = 0;
    for (const auto& [window, bytes] : windows_) squares += bytes * bytes;
    double wide = windows_.empty() ? 1 : widened(effective());
    return wide * wide * squares + known_squares_ + one_more * one_more;
  }

 private:
  double total_ = 0, blocks_ = 0, known_squares_ = 0;
  std::map<std::uint32_t, double> windows_;
};

}  // namespace

void SiteEstimator::count_in(SiteEstimate& result, const Sample& sample, double share, double weight) const {
  result.blocks += share * weight;
  if (sample.window < all_.windows_.size() && all_.windows_[sample.window].why == LivenessEstimator::Why::kGrowth)
    result.growth_bytes += share * static_cast<double>(sample.size);
  if (share > 0.5 && (!result.oldest_ns || sample.birth_ns < result.oldest_ns)) result.oldest_ns = sample.birth_ns;
}

SiteEstimate SiteEstimator::estimate(std::uint32_t index, const std::vector<std::uint32_t>& ids, double mean_weight) {
  SiteEstimate result;
  result.site = index;
  result.met = site_.met;
  bool sampled = site_.met > 0 && mean_weight > 0;
  one_more_ = sampled ? static_cast<double>(site_.sizes.largest()) * mean_weight * scale_ : 0;
  result.identity = learn_identity();
  if (result.identity)
    by_identity(ids, result);
  else
    by_survival(ids, result);
  result.low = std::clamp(result.low, 0.0, result.bytes);
  result.high = std::max(result.high, result.bytes);
  return result;
}

bool SiteEstimator::learn_identity() {
  bool any = false;
  for (std::size_t i = 0; i < kWords; ++i) {
    unique_[i] = site_.words.is_unique(i);
    late_[i] = unique_[i] && site_.words.is_late(i);
    maybe_late_[i] = unique_[i] && !late_[i] && site_.words.may_be_late(i, site_.survival.late_death());
    any |= unique_[i];
    type_[i] = site_.words.constant(i);
    if (type_[i] && !is_type(*type_[i])) type_[i].reset();
  }
  return any;
}

// The census counts the youngest, too; without it they would be taken for retained while they are in flight.
bool SiteEstimator::old_enough(const Sample& sample) const { return count_ || now_ns_ - std::min(now_ns_, sample.birth_ns) >= LivenessEstimator::kLeastAge; }

// One unchanged word is enough: what takes the slot changes all of them.
double SiteEstimator::lives(const Sample& sample) const {
  double best = 0;
  for (std::size_t i = 0; i < kWords; ++i) {
    std::uint8_t bit = static_cast<std::uint8_t>(1u << i);
    if (!unique_[i]) continue;
    if (!(sample.changed & bit)) best = 1;
    if (late_[i] && !(sample.changed_since_settling & bit))
      best = std::max(best, sample.changed_by_settling & bit ? std::exp(-site_.survival.late_death() * kSettleNs) : 1.0);
  }
  return best;
}

// It lives if the program wrote its words late; if it did not, another block has its place.
bool SiteEstimator::may_live(const Sample& sample) const {
  for (std::size_t i = 0; i < kWords; ++i)
    if (maybe_late_[i] && !(sample.changed_since_settling >> i & 1)) return true;
  return false;
}

// Its slot holds a block of another type.
bool SiteEstimator::is_foreign(const Sample& sample) const {
  for (std::size_t i = 0; i < kWords; ++i)
    if (type_[i] && sample.last[i] != *type_[i]) return true;
  return false;
}

void SiteEstimator::by_identity(const std::vector<std::uint32_t>& ids, SiteEstimate& result) const {
  Sums sums, most;
  for (std::uint32_t id : ids) {
    const Sample& sample = all_.samples_[id];
    if (!old_enough(sample)) continue;
    double share = lives(sample), weight = all_.weight_of(sample, scale_), bytes = static_cast<double>(sample.size);
    bool sampled = sample.window != LivenessEstimator::kKnown;
    sums.add(sample.window, sampled, share * bytes, weight);
    most.add(sample.window, sampled, may_live(sample) ? bytes : share * bytes, weight);
    count_in(result, sample, share, weight);
  }
  result.error = std::sqrt(sums.variance(one_more_));
  result.bytes = sums.total();
  result.low = result.bytes - kTwoSided95 * result.error;
  result.high = most.total() + kTwoSided95 * std::sqrt(most.variance(one_more_));
  result.windows = sums.effective();
}

void SiteEstimator::by_survival(const std::vector<std::uint32_t>& ids, SiteEstimate& result) const {
  const Survival& survival = site_.survival;
  std::uint64_t run_ns = now_ns_ - all_.start_ns_;
  Survival::Cure cure = survival.cure(run_ns, covered_);
  Sums hazard, cured, most;
  for (std::uint32_t id : ids) {
    const Sample& sample = all_.samples_[id];
    if (!old_enough(sample) || is_foreign(sample)) continue;
    bool sampled = sample.window != LivenessEstimator::kKnown;
    double bytes = static_cast<double>(sample.size), weight = all_.weight_of(sample, scale_);
    std::uint64_t age = now_ns_ - sample.birth_ns, then = sample.close_ns - std::min(sample.close_ns, sample.birth_ns);
    double share = cure.lives(cure.reused, age);
    hazard.add(sample.window, sampled, bytes * survival.hazard(then, age), weight);
    cured.add(sample.window, sampled, bytes * share, weight);
    most.add(sample.window, sampled, bytes * cure.lives(cure.low, age), weight);
    count_in(result, sample, share, weight);
  }
  double deaths = survival.old_deaths(), seen = survival.old_ns();
  double lowest = hazard.total(), variance = hazard.variance(one_more_);
  if (deaths >= kFewDeaths) {
    variance += lowest * lowest / deaths;
  } else if (seen > 0) {
    double died = (deaths + 2 * std::sqrt(deaths) + 3) / seen * static_cast<double>(run_ns);
    lowest *= -std::expm1(-died) / died;
  } else {
    lowest = 0;
  }
  result.error = std::sqrt(cured.variance(one_more_));
  result.bytes = cured.total();
  result.low = lowest - kTwoSided95 * std::sqrt(variance);
  result.high = most.total() + kTwoSided95 * std::sqrt(most.variance(one_more_));
  result.windows = cured.effective();
}

}  // namespace dwell::memory::windows
