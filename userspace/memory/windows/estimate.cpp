// SPDX-License-Identifier: Apache-2.0
// From the samples that look live to what a call site retains, and how sure that is.
#include <algorithm>
#include <cmath>
#include <map>

#include "userspace/memory/windows/calibration.h"
#include "userspace/memory/windows/liveness_estimator.h"

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

class SiteEstimator {
 public:
  SiteEstimator(const LivenessEstimator& all, const LivenessEstimator::Site& site, std::uint64_t now_ns, double scale, double covered,
                const HeapCount* count)
      : all_(all), site_(site), now_ns_(now_ns), scale_(scale), covered_(covered), count_(count) {}

  SiteEstimate estimate(std::uint32_t index, const std::vector<std::uint32_t>& ids, double mean_weight) {
    SiteEstimate result;
    result.site = index;
    result.met = site_.met;
    bool sampled = site_.met > 0 && mean_weight > 0;
    one_more_ = sampled ? static_cast<double>(site_.largest) * mean_weight * scale_ : 0;
    result.identity = learn_identity();
    if (result.identity)
      by_identity(ids, result);
    else
      by_survival(ids, result);
    result.low = std::clamp(result.low, 0.0, result.bytes);
    result.high = std::max(result.high, result.bytes);
    return result;
  }

 private:
  using Sample = LivenessEstimator::Sample;

  bool learn_identity() {
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
  bool old_enough(const Sample& sample) const { return count_ || now_ns_ - std::min(now_ns_, sample.birth_ns) >= LivenessEstimator::kLeastAge; }

  // One unchanged word is enough: what takes the slot changes all of them.
  double lives(const Sample& sample) const {
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
  bool may_live(const Sample& sample) const {
    for (std::size_t i = 0; i < kWords; ++i)
      if (maybe_late_[i] && !(sample.changed_since_settling >> i & 1)) return true;
    return false;
  }

  bool is_type(std::uint64_t word) const { return count_ && lies_in(count_->constants, word); }

  // Its slot holds a block of another type.
  bool is_foreign(const Sample& sample) const {
    for (std::size_t i = 0; i < kWords; ++i)
      if (type_[i] && sample.last[i] != *type_[i]) return true;
    return false;
  }

  void count(SiteEstimate& result, const Sample& sample, double share, double weight) const {
    result.blocks += share * weight;
    if (share > 0.5 && (!result.oldest_ns || sample.birth_ns < result.oldest_ns)) result.oldest_ns = sample.birth_ns;
  }

  void by_identity(const std::vector<std::uint32_t>& ids, SiteEstimate& result) const {
    Sums sums, most;
    for (std::uint32_t id : ids) {
      const Sample& sample = all_.samples_[id];
      if (!old_enough(sample)) continue;
      double share = lives(sample), weight = all_.weight_of(sample, scale_), bytes = static_cast<double>(sample.size);
      bool sampled = sample.window != LivenessEstimator::kKnown;
      sums.add(sample.window, sampled, share * bytes, weight);
      most.add(sample.window, sampled, may_live(sample) ? bytes : share * bytes, weight);
      count(result, sample, share, weight);
    }
    result.error = std::sqrt(sums.variance(one_more_));
    result.bytes = sums.total();
    result.low = result.bytes - kTwoSided95 * result.error;
    result.high = most.total() + kTwoSided95 * std::sqrt(most.variance(one_more_));
    result.windows = sums.effective();
  }

  void by_survival(const std::vector<std::uint32_t>& ids, SiteEstimate& result) const {
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
      count(result, sample, share, weight);
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

  const LivenessEstimator& all_;
  const LivenessEstimator::Site& site_;
  std::uint64_t now_ns_;
  double scale_, covered_, one_more_ = 0;
  const HeapCount* count_;
  bool unique_[kWords] = {}, late_[kWords] = {}, maybe_late_[kWords] = {};
  std::optional<std::uint64_t> type_[kWords];  // what points to a block's type, the same in all
};

double LivenessEstimator::weight_of(const Sample& sample, double time_scale) const {
  if (sample.window == kKnown) return sample.weight;
  return sample.window < windows_.size() ? windows_[sample.window].weight * time_scale : 0;
}

namespace {

// The samples of a call site that the census has in the same cell.
struct Part {
  std::uint32_t site, cell;
  std::vector<std::uint32_t> ids;
};

// What parts of a call site add up to. Their errors are independent.
void merge(SiteEstimate& sum, const SiteEstimate& part) {
  double below = std::hypot(sum.bytes - sum.low, part.bytes - part.low), above = std::hypot(sum.high - sum.bytes, part.high - part.bytes);
  sum.bytes += part.bytes;
  sum.low = std::max(0.0, sum.bytes - below);
  sum.high = sum.bytes + above;
  sum.blocks += part.blocks;
  sum.windows = std::max(sum.windows, part.windows);
  sum.anchored &= part.anchored;
  if (part.oldest_ns && (!sum.oldest_ns || part.oldest_ns < sum.oldest_ns)) sum.oldest_ns = part.oldest_ns;
}

}  // namespace

// A part of a call site as the census counts it, in usable bytes, and back.
class PartCalibration {
 public:
  PartCalibration(const LivenessEstimator& all, const HeapCount& count) : all_(all), count_(count) {}

  Portion portion(const Part& part, const SiteEstimate& estimate) {
    if (part.cell >= count_.cells.size()) {
      factors_.push_back(1);
      return {part.cell, estimate.bytes, estimate.low, estimate.high, estimate.error, false};
    }
    double asked = 0;
    for (std::uint32_t id : part.ids) asked += static_cast<double>(all_.samples_[id].size);
    double usable = static_cast<double>(count_.cells[part.cell].usable * part.ids.size());
    double factor = asked > 0 ? usable / asked : 1;
    factors_.push_back(factor);
    return {part.cell, estimate.bytes * factor, estimate.low * factor, estimate.high * factor, estimate.error * factor, false};
  }

  void take(std::size_t index, const Portion& portion, SiteEstimate& estimate) const {
    double bytes = portion.bytes / factors_[index];
    if (estimate.bytes > 0) estimate.blocks *= bytes / estimate.bytes;
    estimate.bytes = bytes;
    estimate.low = portion.low / factors_[index];
    estimate.high = portion.high / factors_[index];
    estimate.anchored = portion.anchored;
  }

 private:
  const LivenessEstimator& all_;
  const HeapCount& count_;
  std::vector<double> factors_;
};

Estimates LivenessEstimator::estimate(std::uint64_t now_ns, double time_scale, double covered, const HeapCount* count) const {
  std::map<std::pair<std::uint32_t, std::uint32_t>, Part> by_cell;  // by site and cell
  std::vector<std::size_t> largest(sites_.size(), 0);                // part of each site
  for (std::uint32_t id : live_) {
    const Sample& sample = samples_[id];
    std::uint32_t cell = Census::kNoCell;
    if (count && sample.birth_ns >= count->since_ns)
      if (auto at = count->cell_at.find(sample.address); at != count->cell_at.end()) cell = at->second;
    Part& part = by_cell.try_emplace({sample.site, cell}, Part{sample.site, cell, {}}).first->second;
    part.ids.push_back(id);
    largest[sample.site] = std::max(largest[sample.site], part.ids.size());
  }
  for (std::uint32_t site = 0; site < sites_.size(); ++site)
    if (sites_[site].met && largest[site] == 0) by_cell[{site, Census::kNoCell}] = {site, Census::kNoCell, {}};
  double mean_weight = 0;
  for (const Window& window : windows_) mean_weight += window.weight / static_cast<double>(windows_.size());

  std::vector<SiteEstimate> parts;
  std::vector<Portion> portions;
  HeapCount none;
  PartCalibration calibration(*this, count ? *count : none);
  for (const auto& [key, part] : by_cell) {
    // One window more with one block more: of all parts of a site, it is in the largest.
    double one_more = part.ids.size() == largest[part.site] ? mean_weight : 0;
    parts.push_back(SiteEstimator(*this, sites_[part.site], now_ns, time_scale, covered, count).estimate(part.site, part.ids, one_more));
    portions.push_back(calibration.portion(part, parts.back()));
  }
  Estimates result;
  if (count) {
    result.unknown = calibrate(portions, count->cells, count->shared_error);
    for (std::size_t i = 0; i < parts.size(); ++i) calibration.take(i, portions[i], parts[i]);
  }
  for (const SiteEstimate& part : parts) {
    if (result.sites.empty() || result.sites.back().site != part.site)
      result.sites.push_back(part);
    else
      merge(result.sites.back(), part);
  }
  return result;
}

}  // namespace dwell::memory::windows
