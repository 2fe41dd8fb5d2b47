// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/reach/held_sites.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "userspace/base/clock.h"
#include "userspace/memory/reach/first_reached.h"
#include "userspace/memory/reach/graph.h"
#include "userspace/memory/reach/named_roots.h"

namespace dwell::memory::reach {
namespace {

constexpr std::size_t kHoldersOfASite = 4;
constexpr double kWorthNaming = 0.02;  // of a call site

struct SiteSums {
  double bytes = 0, lost_bytes = 0, blocks = 0, lost_blocks = 0;
  std::map<std::uint32_t, double> by_root;
};

class HoldingFinder {
 public:
  HoldingFinder(const SettlingLooks::LastLook& look, const std::vector<FollowedBlock>& followed,
                Holding& holding)
      : look_(look), followed_(followed), holding_(holding), roots_(look.live, look.scan) {}

  void find() {
    const BlockIndex& index = look_.live.index();
    holding_.live_blocks = index.size();
    holding_.live_bytes = look_.live.live_bytes();
    holding_.lost_blocks = look_.unreachable.size();
    for (const LiveBlock& block : look_.unreachable) holding_.lost_bytes += block.usable;
    {
      std::vector<bool> marked(look_.graph.blocks());
      for (const LateWord& late : look_.late.words) roots_.add_late(late.from, late.word);
      for (const PeekedWord& peeked : look_.late.peeked) roots_.add_late(peeked.late.from, peeked.target);
      roots_.find(look_.graph, marked);
    }
    FirstReached reached(look_.graph, roots_);
    reached.follow(look_.late, index, [](std::uint32_t, std::uint32_t) {});
    std::map<std::uint32_t, SiteSums> sums;  // by series
    for (const FollowedBlock& block : followed_)
      if (std::optional<std::uint32_t> found = still_there(block)) add(sums[block.series], block, *found, reached);
    for (const auto& [series, sum] : sums) holding_.rows.push_back(row_of(series, sum));
  }

 private:
  std::optional<std::uint32_t> still_there(const FollowedBlock& followed) const {
    std::uint32_t found = look_.live.index().find(followed.address);
    if (found == BlockIndex::kNone) return std::nullopt;
    LiveBlock block = look_.live.index().block(found);
    return followed.address + followed.size <= block.address + block.usable ? std::optional(found) : std::nullopt;
  }

  void add(SiteSums& sums, const FollowedBlock& block, std::uint32_t found, const FirstReached& reached) const {
    double bytes = static_cast<double>(block.size) * block.weight;
    sums.bytes += bytes;
    sums.blocks += block.weight;
    if (std::ranges::binary_search(look_.unreachable, look_.live.index().block(found))) {
      sums.lost_bytes += bytes;
      sums.lost_blocks += block.weight;
    } else if (std::uint32_t root = reached.of(found); root != FirstReached::kNone) {
      sums.by_root[root] += bytes;
    }
  }

  static std::uint64_t rounded(double value) { return static_cast<std::uint64_t>(std::llround(value)); }

  HeldRow row_of(std::uint32_t series, const SiteSums& sums) {
    HeldRow row{series, rounded(sums.bytes), rounded(sums.lost_bytes), rounded(sums.blocks), rounded(sums.lost_blocks), {}};
    std::vector<std::pair<double, std::uint32_t>> largest;
    for (const auto& [root, bytes] : sums.by_root) largest.emplace_back(bytes, root);
    std::ranges::stable_sort(largest, std::greater<>(), [](const auto& one) { return one.first; });
    largest.resize(std::min(largest.size(), kHoldersOfASite));
    for (const auto& [bytes, root] : largest)
      if (bytes >= kWorthNaming * sums.bytes) row.by.push_back({number_of(root), rounded(bytes)});
    return row;
  }

  std::uint32_t number_of(std::uint32_t root) {
    auto [at, fresh] = numbers_.try_emplace(root, static_cast<std::uint32_t>(holding_.holders.size()));
    if (fresh) holding_.holders.push_back(roots_.name(roots_.roots()[root]));
    return at->second;
  }

  const SettlingLooks::LastLook& look_;
  const std::vector<FollowedBlock>& followed_;
  Holding& holding_;
  NamedRoots roots_;
  std::map<std::uint32_t, std::uint32_t> numbers_;  // of holders, by root
};

}  // namespace

Result<Holding> find_holding(const LookLimits& limits, const std::vector<FollowedBlock>& blocks) {
  Result<SettlingLooks> looks = SettlingLooks::begin(limits, fmt::format("find what holds the memory of PID {}", limits.pid));
  if (!looks) return looks.error();
  Holding holding;
  Result<void> looked =
      looks->run([&](const SettlingLooks::LastLook& look) { HoldingFinder(look, blocks, holding).find(); });
  if (!looked) return looked.error();
  holding.unsettled = looks->unsettled();
  holding.looks = static_cast<std::uint64_t>(looks->looks());
  holding.time_ns = monotonic_ns();
  return holding;
}

}  // namespace dwell::memory::reach
