// SPDX-License-Identifier: Apache-2.0
// SiteEstimator: from the samples of a call site that look live to what it retains, and how sure that is.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "userspace/memory/windows/liveness_estimator.h"

namespace dwell::memory::windows {

class SiteEstimator {
 public:
  // `count`: as of LivenessEstimator::estimate().
  SiteEstimator(const LivenessEstimator& all, const LivenessEstimator::Site& site, std::uint64_t now_ns, double scale, double covered,
                const HeapCount* count)
      : all_(all), site_(site), now_ns_(now_ns), scale_(scale), covered_(covered), count_(count) {}

  // `ids`: the samples. `mean_weight`: of a window, where one more might have met a block more; else 0.
  SiteEstimate estimate(std::uint32_t index, const std::vector<std::uint32_t>& ids, double mean_weight);

 private:
  using Sample = LivenessEstimator::Sample;

  void count_in(SiteEstimate& result, const Sample& sample, double share, double weight) const;
  bool learn_identity();
  bool old_enough(const Sample& sample) const;
  double lives(const Sample& sample) const;
  bool may_live(const Sample& sample) const;
  bool is_type(std::uint64_t word) const { return count_ && lies_in(count_->constants, word); }
  bool is_foreign(const Sample& sample) const;
  void by_identity(const std::vector<std::uint32_t>& ids, SiteEstimate& result) const;
  void by_survival(const std::vector<std::uint32_t>& ids, SiteEstimate& result) const;

  const LivenessEstimator& all_;
  const LivenessEstimator::Site& site_;
  std::uint64_t now_ns_;
  double scale_, covered_, one_more_ = 0;
  const HeapCount* count_;
  bool unique_[kWords] = {}, late_[kWords] = {}, maybe_late_[kWords] = {};
  std::optional<std::uint64_t> type_[kWords];  // what points to a block's type, the same in all
};

}  // namespace dwell::memory::windows
