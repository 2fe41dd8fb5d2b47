// SPDX-License-Identifier: Apache-2.0
#include "userspace/pairs/ledger.h"

#include <algorithm>
#include <tuple>

namespace dwell::pairs {

HoldChange& HoldLedger::site_change(const HoldSite& site) {
  auto [at, fresh] = changes_.try_emplace(site);
  if (fresh) {
    at->second.site = site;
    auto held = held_by_site_.find(site);
    at->second.peak = held == held_by_site_.end() ? 0 : held->second;
  }
  return at->second;
}

PairChange& HoldLedger::pair_change(const Resource& resource) {
  PairKey key{resource.process, resource.pair};
  auto [at, fresh] = pairs_.try_emplace(key, PairChange{resource.process, resource.pair});
  if (fresh) {
    auto held = held_by_pair_.find(key);
    at->second.peak = held == held_by_pair_.end() ? 0 : held->second;
    at->second.peak_ns = tick_start_ns_;
  }
  return at->second;
}

void HoldLedger::taken(const Hold& hold) {
  Resource resource{hold.site.process, hold.site.pair, hold.value};
  HoldChange& change = site_change(hold.site);
  PairChange& pair = pair_change(resource);
  taken_[resource].push_back({hold.site.stack, hold.tid, hold.taken_ns, hold.size});
  ++change.taken;
  change.taken_size += hold.size;
  change.peak = std::max(change.peak, ++held_by_site_[hold.site]);
  ++held_;
  std::uint64_t now = ++held_by_pair_[{resource.process, resource.pair}];
  if (now <= pair.peak) return;
  pair.peak = now;
  pair.peak_ns = hold.taken_ns;
}

void HoldLedger::end(std::uint64_t time_ns, const Resource& resource, const Taking& taking) {
  HoldSite site{resource.process, resource.pair, taking.stack};
  HoldChange& change = site_change(site);
  (void)pair_change(resource);
  ++change.given;
  change.given_size += taking.size;
  change.lived_ns += time_ns - std::min(time_ns, taking.taken_ns);
  ++change.lifetimes[lifetime_class(taking.taken_ns, time_ns)];
  auto by_site = held_by_site_.find(site);
  if (by_site != held_by_site_.end() && --by_site->second == 0) held_by_site_.erase(by_site);
  --held_by_pair_[{resource.process, resource.pair}];
  --held_;
}

void HoldLedger::given(std::uint64_t time_ns, const Resource& resource, Tid tid) {
  auto found = taken_.find(resource);
  if (found == taken_.end()) {
    ++pair_change(resource).unknown;
    return;
  }
  Takings& takings = found->second;
  auto own = std::find_if(takings.rbegin(), takings.rend(), [&](const Taking& one) { return one.tid == tid; });
  auto which = own == takings.rend() ? takings.begin() : std::prev(own.base());
  end(time_ns, resource, *which);
  takings.erase(which);
  if (takings.empty()) taken_.erase(found);
}

void HoldLedger::fork(std::uint64_t, ProcessSlot parent, ProcessSlot child) {
  std::vector<Hold> inherited;
  for (const auto& [resource, takings] : taken_)
    if (resource.process == parent)
      for (const Taking& one : takings)
        inherited.push_back({{child, resource.pair, one.stack}, resource.value, one.taken_ns, one.size, one.tid});
  for (const Hold& hold : inherited) taken(hold);
}

void HoldLedger::process_ended(std::uint64_t time_ns, ProcessSlot process) {
  std::vector<Resource> gone;
  for (const auto& [resource, takings] : taken_)
    if (resource.process == process) gone.push_back(resource);
  for (const Resource& resource : gone) {
    for (const Taking& one : taken_.at(resource)) end(time_ns, resource, one);
    taken_.erase(resource);
  }
}

HoldTick HoldLedger::take_tick(std::uint64_t now_ns) {
  HoldTick tick{tick_start_ns_, now_ns, {}, {}};
  for (auto& [site, change] : changes_) tick.changes.push_back(std::move(change));
  for (auto& [key, change] : pairs_) tick.pairs.push_back(change);
  changes_.clear();
  pairs_.clear();
  tick_start_ns_ = now_ns;
  return tick;
}

std::vector<Hold> HoldLedger::holds() const {
  std::vector<Hold> all;
  for (const auto& [resource, takings] : taken_)
    for (const Taking& one : takings) all.push_back({{resource.process, resource.pair, one.stack}, resource.value, one.taken_ns, one.size, one.tid});
  std::ranges::sort(all, {}, [](const Hold& one) { return std::tuple(one.site.process, one.site.pair, one.value, one.taken_ns, one.site.stack); });
  return all;
}

}  // namespace dwell::pairs
