// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/touched/resident.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "userspace/memory/heap/page_states.h"

namespace dwell::memory {
namespace {

using heap::kPageSize;

constexpr std::uint64_t kBlockPages = 512;  // of a huge page: no fault brings more
constexpr std::uint64_t kMostRead = std::uint64_t{16} << 20;  // entries: 64 GB
constexpr double kEnough = 16;  // pages followed in one mapping, to tell of it by itself

using Key = std::pair<StackId, TouchedKind>;
struct Sum {
  double pages = 0, grown = 0, variance = 0;
};

// What was followed of one mapping, or of several of a kind.
struct Share {
  std::map<Key, Sum> sites;
  double followed = 0;  // pages that have an entry
  double stands_for = 0;  // new pages that these stand for
  double new_pages = 0;   // by the pagemap
};

class Join {
 public:
  Join(const TouchedPages& touched, const OwnedMemory& owned, const Pagemap& pagemap, const PresentPages* before)
      : touched_(touched), owned_(owned), pagemap_(pagemap), before_(before), sampled_(touched.largest_shift() > 0) {}

  TouchedMemory make() {
    made_.weight = std::uint64_t{1} << touched_.largest_shift();
    std::uint64_t left = kMostRead;
    for (const MappingUse& use : owned_.uses) {
      std::uint64_t pages = (use.mapping.end - use.mapping.start) / kPageSize;
      if (!use.resident || pages > left) continue;
      left -= pages;
      add_mapping(use);
    }
    for (auto& [kind, share] : pooled_) settle(share, kind);
    add_sites();
    return std::move(made_);
  }

 private:
  void add_mapping(const MappingUse& use) {
    std::map<TouchedKind, Share> shares;
    std::vector<std::uint64_t> entries;
    std::uint64_t page = use.mapping.start / kPageSize, end = use.mapping.end / kPageSize;
    while (page < end) {
      std::uint64_t next = std::min(end, (page / kBlockPages + 1) * kBlockPages);
      entries.resize(next - page);
      pagemap_.read(page, entries);
      add_block(use, page, entries, shares);
      page = next;
    }
    for (auto& [kind, share] : shares) {
      if (!sampled_ || share.followed >= kEnough)
        settle(share, kind);
      else
        pool(kind, share);
    }
  }

  void add_block(const MappingUse& use, std::uint64_t first, const std::vector<std::uint64_t>& entries, std::map<TouchedKind, Share>& shares) {
    const TouchedPage* last = nullptr;
    std::map<TouchedKind, std::uint64_t> alone;  // pages ahead of the first one that was touched
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const TouchedPage* own = touched_.find(first + i);
      if (!(entries[i] & kPageInMemory) || is_nobodys(use, entries[i], own)) continue;
      bool is_new = before_ && !before_->contains(first + i);
      if (!own && !is_new) continue;
      TouchedKind kind = kind_of(owned_, use, (first + i) * kPageSize, !(entries[i] & kPageOfFile));
      Share& share = shares[kind];
      if (is_new) ++share.new_pages;
      if (own) {
        add_page(share, kind, *own, is_new);
        last = own;
        for (auto& [kind_before, pages] : alone) add_beside(shares[kind_before], kind_before, *own, pages);
        alone.clear();
      } else if (sampled_) {
        continue;  // it may have been touched by anybody
      } else if (last) {
        add_beside(share, kind, *last, 1);
      } else {
        ++alone[kind];
      }
    }
    for (auto& [kind, pages] : alone) made_.unseen[index(kind)] += pages * kPageSize;
  }

  static bool is_nobodys(const MappingUse& use, std::uint64_t entry, const TouchedPage* own) {
    bool anonymous = !use.mapping.is_file() && !is_shared_memory(use.mapping);
    return anonymous && !(own && own->written) && (may_be_zero_page(entry) || entry & kPageOfFile);
  }

  static void add_page(Share& share, TouchedKind kind, const TouchedPage& page, bool is_new) {
    auto weight = static_cast<double>(page.weight());
    Sum& sum = share.sites[{page.stack, kind}];
    sum.pages += weight;
    sum.variance += weight * (weight - 1);
    ++share.followed;
    if (!is_new) return;
    sum.grown += weight;
    share.stands_for += weight;
  }

  // The kernel brought it along.
  static void add_beside(Share& share, TouchedKind kind, const TouchedPage& neighbour, std::uint64_t pages) {
    Sum& sum = share.sites[{neighbour.stack, kind}];
    sum.pages += static_cast<double>(pages);
    sum.grown += static_cast<double>(pages);
  }

  void pool(TouchedKind kind, const Share& from) {
    Share& to = pooled_[kind];
    to.followed += from.followed;
    to.stands_for += from.stands_for;
    to.new_pages += from.new_pages;
    for (const auto& [key, sum] : from.sites) {
      Sum& all = to.sites[key];
      all.pages += sum.pages;
      all.grown += sum.grown;
      all.variance += sum.variance;
    }
  }

  // How many pages are new is counted; whose they are is told by those that were followed.
  void settle(const Share& share, TouchedKind kind) {
    double scale = sampled_ && share.stands_for > 0 ? share.new_pages / share.stands_for : 1;
    if (sampled_ && share.stands_for == 0) made_.unseen[index(kind)] += static_cast<std::uint64_t>(share.new_pages) * kPageSize;
    for (const auto& [key, sum] : share.sites) {
      Sum& all = sites_[key];
      all.pages += sum.pages - sum.grown + sum.grown * scale;
      all.grown += sum.grown * scale;
      all.variance += sum.variance * scale * scale;
    }
  }

  void add_sites() {
    std::map<StackId, std::size_t> rows;  // the largest of each stack
    for (const auto& [key, sum] : sites_) {
      TouchedSite site{key.first, key.second, 0, bytes(sum.pages), bytes(sum.grown), bytes(std::sqrt(sum.variance))};
      auto [at, fresh] = rows.try_emplace(key.first, made_.sites.size());
      if (!fresh && made_.sites[at->second].resident < site.resident) at->second = made_.sites.size();
      made_.sites.push_back(site);
    }
    for (const auto& [stack, faults] : touched_.faults()) {
      auto [at, fresh] = rows.try_emplace(stack, made_.sites.size());
      if (fresh) made_.sites.push_back({.stack = stack});
      made_.sites[at->second].faults = faults;
    }
    std::ranges::sort(made_.sites, [](const TouchedSite& a, const TouchedSite& b) {
      return std::pair(a.resident, a.faults) != std::pair(b.resident, b.faults) ? std::pair(a.resident, a.faults) > std::pair(b.resident, b.faults)
                                                                                : std::pair(a.stack, a.kind) < std::pair(b.stack, b.kind);
    });
  }

  static std::uint64_t bytes(double pages) { return static_cast<std::uint64_t>(std::llround(pages)) * kPageSize; }
  static std::size_t index(TouchedKind kind) { return static_cast<std::size_t>(kind); }

  const TouchedPages& touched_;
  const OwnedMemory& owned_;
  const Pagemap& pagemap_;
  const PresentPages* before_;
  bool sampled_;
  std::map<TouchedKind, Share> pooled_;
  std::map<Key, Sum> sites_;
  TouchedMemory made_;
};

}  // namespace

TouchedMemory touched_and_resident(const TouchedPages& touched, const OwnedMemory& owned, const Pagemap& pagemap,
                                   const PresentPages* before) {
  return Join(touched, owned, pagemap, before).make();
}

}  // namespace dwell::memory
