// SPDX-License-Identifier: Apache-2.0
// BlockIndex: the live blocks of a heap, found by any address inside them. Eight bytes a block, and four a page.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "userspace/memory/heap/heap.h"

namespace dwell::memory::reach {

struct LiveBlock {
  std::uint64_t address = 0, usable = 0;
  auto operator<=>(const LiveBlock&) const = default;
};

class BlockIndex {
 public:
  static constexpr std::uint32_t kNone = ~0u;

  // `ranges`: where blocks are, in address order.
  explicit BlockIndex(const std::vector<heap::Range>& ranges);
  // In address order. What is outside of the ranges, or misaligned, is left out.
  void add(const heap::Block& block);
  void finish();

  std::size_t size() const { return starts_.size(); }
  // Region by region in address order: where it is, and which blocks begin in it, [first, last).
  template <typename Visit>
  void for_each_region(Visit visit) const {
    for (std::size_t i = 0; i < regions_.size(); ++i) {
      std::uint32_t last = i + 1 < regions_.size() ? regions_[i + 1].first_block : static_cast<std::uint32_t>(size());
      visit(heap::Range{regions_[i].start, regions_[i].end}, regions_[i].first_block, last);
    }
  }
  // The same as block(), for who knows the region.
  LiveBlock block_in(const heap::Range& region, std::uint32_t index) const {
    return {region.start + std::uint64_t{starts_[index]} * 8, std::uint64_t{sizes_[index] & ~kSharesLastWord} * 8};
  }
  LiveBlock block(std::uint32_t index) const;
  // The block that `word` points to or into; kNone: none. The header of the block behind is no part of a block, though
  // glibc lets the program use its first word: nothing but the allocator points there.
  std::uint32_t find(std::uint64_t word) const {
    return word - lowest_ < span_ ? find_in_regions(word) : kNone;
  }

 private:
  static constexpr std::uint32_t kSharesLastWord = 1u << 31;
  struct Region {
    std::uint64_t start, end;
    std::size_t first_page;      // in page_first_
    std::uint32_t first_block;
  };
  std::uint32_t find_in_regions(std::uint64_t word) const;
  const Region* region_of(std::uint64_t address) const;
  const Region& region_of_block(std::uint32_t index) const;

  std::vector<Region> regions_;
  std::uint64_t lowest_ = 0, span_ = 0;
  std::vector<std::uint32_t> page_first_;  // how many blocks begin before this page
  std::vector<std::uint32_t> starts_;      // from the region's start, in 8 bytes
  std::vector<std::uint32_t> sizes_;       // in 8 bytes; the highest bit: the last word is not the block's alone
  std::size_t region_ = 0, page_ = 0;      // while blocks are added
  mutable std::size_t last_region_ = 0;
};

}  // namespace dwell::memory::reach
