// SPDX-License-Identifier: Apache-2.0
// StartMap: where blocks begin, in address order, a bit for each place where one may: found by any address behind it, and by
// number. A page in which none begins costs eight bytes, any other 32 or 64 more.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "userspace/memory/heap/heap.h"
#include "userspace/memory/reach/chunked_vector.h"

namespace dwell::memory::reach {

class StartMap {
 public:
  static constexpr std::uint32_t kNone = ~0u;

  // `ranges`: where blocks are, in address order. They begin at multiples of `alignment`: 8 or 16.
  StartMap(const std::vector<heap::Range>& ranges, std::uint64_t alignment);
  // In address order. False: outside of the ranges, misaligned, or not in order.
  bool add(std::uint64_t address);
  void finish();

  std::uint32_t size() const { return count_; }
  struct Found {
    std::uint32_t index = kNone;
    std::uint64_t address = 0;
  };
  // The last block of the same region that begins at `address` or before.
  Found at_or_before(std::uint64_t address) const {
    return address - lowest_ < span_ ? in_regions(address) : Found{};
  }
  std::uint64_t address(std::uint32_t index) const;
  bool is_inside(std::uint64_t address) const { return address - lowest_ < span_ && region_of(address); }

  // In address order: visit(index, address).
  template <typename Visit>
  void for_each(Visit visit) const {
    for (const Region& region : regions_)
      for (std::size_t page = 0; page < region.pages(); ++page) {
        const Page& at = pages_[region.first_page + page];
        if (at.bits == kNone) continue;
        std::uint32_t index = at.first_block;
        for (std::size_t word = 0; word < words_a_page(); ++word)
          for (std::uint64_t left = bits_[at.bits + word]; left; left &= left - 1)
            visit(index++, region.start + page * heap::kPageSize + bit_address(word, left));
      }
  }
  template <typename Visit>
  void for_each_region(Visit visit) const {
    for (const Region& region : regions_)
      visit(heap::Range{region.start, region.end}, region.first_block, region.first_block + region.blocks);
  }
  // The addresses of the blocks that begin in a region, one after the other.
  class Cursor {
   public:
    Cursor(const StartMap& map, const heap::Range& region);
    // 0: there are no more.
    std::uint64_t next() {
      while (!left_)
        if (!next_word()) return 0;
      std::uint64_t address = page_start_ + map_.bit_address(word_ - 1, left_);
      left_ &= left_ - 1;
      return address;
    }

   private:
    bool next_word();
    const StartMap& map_;
    std::uint64_t page_start_ = 0, end_ = 0, left_ = 0;
    std::size_t page_ = 0, word_ = 0;
  };
  // Keeps those of which `keep(index)` holds; numbers are those of before no more.
  template <typename Keep>
  void keep_only(Keep keep) {
    std::uint32_t index = 0;
    for (std::size_t page = 0; page < pages_.size(); ++page) {
      if (pages_[page].bits == kNone) continue;
      for (std::size_t word = 0; word < words_a_page(); ++word)
        for (std::uint64_t left = bits_[pages_[page].bits + word]; left; left &= left - 1, ++index)
          if (!keep(index)) bits_[pages_[page].bits + word] &= ~(left & -left);
    }
  }
  // Whether a block begins at just this address: also of use after keep_only().
  bool begins_at(std::uint64_t address) const;

 private:
  struct Region {
    std::uint64_t start, end;
    std::size_t first_page;
    std::uint32_t first_block, blocks;
    std::size_t pages() const { return (end - start) / heap::kPageSize; }
  };
  struct Page {
    std::uint32_t first_block;   // how many begin before this page
    std::uint32_t bits = kNone;  // where its words are
  };
  std::size_t words_a_page() const { return heap::kPageSize >> (shift_ + 6); }
  std::uint64_t bit_address(std::size_t word, std::uint64_t bits) const {
    return (word * 64 + static_cast<unsigned>(std::countr_zero(bits))) << shift_;
  }
  Found in_regions(std::uint64_t address) const;
  const Region* region_of(std::uint64_t address) const;
  std::uint64_t last_in_page(const Page& page, std::uint64_t page_start) const;

  unsigned shift_;
  std::uint32_t count_ = 0;
  std::vector<Region> regions_;
  std::vector<Page> pages_;
  ChunkedVector<std::uint64_t> bits_;
  std::uint64_t lowest_ = 0, span_ = 0, last_ = 0;
  std::size_t region_ = 0, page_ = 0;  // while blocks are added
  mutable std::size_t last_region_ = 0;
};

}  // namespace dwell::memory::reach
