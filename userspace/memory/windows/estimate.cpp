// SPDX-License-Identifier: Apache-2.0
// From what samples say of call sites to what each retains: by kinds of blocks, held against the census.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "userspace/memory/windows/calibration.h"
#include "userspace/memory/windows/site_estimator.h"

namespace dwell::memory::windows {
namespace {

constexpr std::uint32_t kOftenMet = 8;      // in so many windows: it is not one that comes in bursts which none of them meets
constexpr double kKindsThatMatter = 0.002;  // of all that came

// What parts of a call site add up to. Their errors are independent.
void merge(SiteEstimate& sum, const SiteEstimate& part) {
  double below = std::hypot(sum.bytes - sum.low, part.bytes - part.low), above = std::hypot(sum.high - sum.bytes, part.high - part.bytes);
  sum.bytes += part.bytes;
  sum.low = std::max(0.0, sum.bytes - below);
  sum.high = sum.bytes + above;
  sum.blocks += part.blocks;
  sum.met += part.met;
  sum.windows = std::max(sum.windows, part.windows);
  sum.identity &= part.identity;
  sum.anchored &= part.anchored;
  if (part.oldest_ns && (!sum.oldest_ns || part.oldest_ns < sum.oldest_ns)) sum.oldest_ns = part.oldest_ns;
}

}  // namespace

double LivenessEstimator::weight_of(const Sample& sample, double time_scale) const {
  if (sample.window == kKnown) return sample.weight;
  return sample.window < windows_.size() ? windows_[sample.window].weight * time_scale : 0;
}

// What all call sites retain: parts, each the blocks of one site and one kind.
class WholeEstimate {
 public:
  WholeEstimate(const LivenessEstimator& all, std::span<const std::uint32_t> same_as, const HeapCount* count) : all_(all), count_(count) {
    std::size_t sites = all.sites_.size();
    groups_.resize(sites);
    for (std::uint32_t site = 0; site < sites; ++site) {
      group_of_.push_back(site < same_as.size() ? same_as[site] : site);
      groups_[group_of_[site]].windows += all.sites_[site].windows;
    }
    double windows = 0;
    for (const auto& window : all.windows_)
      if (window.why == LivenessEstimator::Why::kChance) ++windows, mean_weight_ += window.weight;
    if (windows > 0) mean_weight_ /= windows;
  }

  Estimates estimate(std::uint64_t now_ns, double time_scale, double covered) {
    divide();
    for (const auto& [key, ids] : parts_) {
      const auto& [site, cell] = key;
      double one_more = takes_one_more(group_of_[site], ids.size()) ? mean_weight_ * blocks_at_once(site) : 0;
      estimates_.push_back(SiteEstimator(all_, all_.sites_[site], now_ns, time_scale, covered, count_).estimate(site, ids, one_more));
      portions_.push_back(portion(cell, ids, estimates_.back()));
    }
    Estimates result;
    if (count_) {
      add_rarely_met();
      result.unknown = calibrate(portions_, count_->cells, count_->shared_error);
      for (std::size_t i = 0; i < estimates_.size(); ++i) take(i);
      give_bursts(result.unknown);
    }
    std::map<std::uint32_t, SiteEstimate> sums;  // by group
    for (const SiteEstimate& one : estimates_)
      if (auto [sum, fresh] = sums.try_emplace(group_of_[one.site], one); !fresh) merge(sum->second, one);
    for (auto& [group, sum] : sums) result.sites.push_back(sum);
    return result;
  }

 private:
  using Part = std::vector<std::uint32_t>;  // ids of samples
  struct Group {
    std::uint32_t windows = 0;  // that met it
    std::size_t largest = 0;    // part of it, in samples
    bool any = false, has_one_more = false;
  };

  void divide() {
    for (std::uint32_t id : all_.live_) {
      const auto& sample = all_.samples_[id];
      std::uint32_t cell = Census::kNoCell;
      if (count_ && sample.birth_ns >= count_->since_ns)
        if (auto at = count_->cell_at.find(sample.address); at != count_->cell_at.end()) cell = at->second;
      Part& part = parts_[{sample.site, cell}];
      part.push_back(id);
      Group& group = groups_[group_of_[sample.site]];
      group.any = true;
      group.largest = std::max(group.largest, part.size());
    }
    for (std::uint32_t site = 0; site < all_.sites_.size(); ++site)
      if (all_.sites_[site].met && !std::exchange(groups_[group_of_[site]].any, true)) parts_[{site, Census::kNoCell}];
  }

  // What one window more would have met of a call site: of one that few met, as much as those that live of what each met.
  double blocks_at_once(std::uint32_t site) const {
    const auto& of = all_.sites_[site];
    return is_rare(site) && of.windows ? std::max(1.0, static_cast<double>(of.live) / of.windows) : 1;
  }

  // One window more with one block more: of all parts of a call site, it is in the first of the largest.
  bool takes_one_more(std::uint32_t group, std::size_t samples) {
    return samples == groups_[group].largest && !std::exchange(groups_[group].has_one_more, true);
  }

  // As the census counts: in usable bytes.
  Portion portion(std::uint32_t cell, const Part& ids, const SiteEstimate& estimate) {
    double factor = 1;
    if (count_ && cell < count_->cells.size()) {
      double asked = 0;
      for (std::uint32_t id : ids) asked += static_cast<double>(all_.samples_[id].size);
      if (asked > 0) factor = static_cast<double>(count_->cells[cell].usable * ids.size()) / asked;
    }
    factors_.push_back(factor);
    return {cell, estimate.bytes * factor, estimate.low * factor, estimate.high * factor, estimate.error * factor, false, is_rare(estimate.site), estimate.growth_bytes > 0};
  }

  // What calibrate() made of it, in bytes that were asked for.
  void take(std::size_t index) {
    const Portion& portion = portions_[index];
    SiteEstimate& estimate = estimates_[index];
    double factor = factors_[index], bytes = portion.bytes / factor;
    if (estimate.bytes > 0) estimate.blocks *= bytes / estimate.bytes;
    estimate.bytes = bytes;
    estimate.low = portion.low / factor;
    estimate.high = portion.high / factor;
    estimate.anchored = portion.anchored;
  }

  // What no random window met came in bursts, and who allocates in bursts is known by windows that growth began: they share it by what
  // lives of the blocks of that kind that those met.
  void give_bursts(std::vector<double>& unknown) {
    std::map<std::uint32_t, std::vector<std::size_t>> met;  // by cell, indices of estimates
    for (std::size_t i = 0; i < portions_.size(); ++i) {
      std::uint32_t cell = portions_[i].cell;
      if (cell < unknown.size() && unknown[cell] > 0 && estimates_[i].growth_bytes > 0) met[cell].push_back(i);
    }
    for (const auto& [cell, indices] : met) {
      double all = 0;
      for (std::size_t i : indices) all += estimates_[i].growth_bytes;
      for (std::size_t i : indices) give(i, unknown[cell] * estimates_[i].growth_bytes / all, unknown[cell]);
      unknown[cell] = 0;
    }
  }

  // Usable bytes. Others may have had their bursts, too: its range ends where all of it is its own.
  void give(std::size_t index, double bytes, double at_most) {
    SiteEstimate& estimate = estimates_[index];
    double asked = bytes / factors_[index], high = estimate.bytes + at_most / factors_[index];
    double block = static_cast<double>(all_.sites_[estimate.site].sizes.largest());
    if (block > 0) estimate.blocks += asked / block;
    estimate.bytes += asked;
    estimate.high = std::max(estimate.high, high);
    estimate.anchored = false;
  }

  bool is_rare(std::uint32_t site) const { return groups_[group_of_[site]].windows < kOftenMet; }

  // A call site that few windows met may have come in bursts that none of them met: it may have what there is of the kinds that it asks
  // for, as far as nobody else is sure to have it.
  void add_rarely_met() {
    std::vector<std::uint64_t> classes;
    double all_that_came = 0;
    for (const CellCount& cell : count_->cells) classes.push_back(cell.usable), all_that_came += cell.most;
    std::ranges::sort(classes);
    std::set<std::pair<std::uint32_t, std::uint32_t>> has;  // group and cell
    for (const auto& [key, part] : parts_) has.emplace(group_of_[key.first], key.second);
    for (std::uint32_t cell = 0; cell < count_->cells.size(); ++cell) {
      if (count_->cells[cell].most < kKindsThatMatter * all_that_came) continue;
      for (std::uint32_t site = 0; site < all_.sites_.size(); ++site) {
        const auto& rare = all_.sites_[site];
        if (!rare.met || !is_rare(site) || !rare.sizes.may_be(count_->cells[cell].usable, classes)) continue;
        if (!has.emplace(group_of_[site], cell).second) continue;
        SiteEstimate none;
        none.site = site;
        none.identity = none.anchored = true;  // it says nothing against that
        estimates_.push_back(none);
        portions_.push_back({cell, 0, 0, 0, 0, false, true, false});
        factors_.push_back(1);
      }
    }
  }

  const LivenessEstimator& all_;
  const HeapCount* count_;
  std::vector<std::uint32_t> group_of_;  // by site
  std::vector<Group> groups_;            // by the first of its sites
  std::map<std::pair<std::uint32_t, std::uint32_t>, Part> parts_;  // by site and cell
  double mean_weight_ = 0;
  std::vector<SiteEstimate> estimates_;
  std::vector<Portion> portions_;  // of each of them
  std::vector<double> factors_;    // the same
};

Estimates LivenessEstimator::estimate(std::uint64_t now_ns, double time_scale, double covered, const HeapCount* count,
                                      std::span<const std::uint32_t> same_as) const {
  return WholeEstimate(*this, same_as, count).estimate(now_ns, time_scale, covered);
}

}  // namespace dwell::memory::windows
