// SPDX-License-Identifier: Apache-2.0
// BlockIndex: the live blocks of a heap, found by any address inside them. Two bytes a block, and a StartMap.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "userspace/memory/heap/heap.h"
#include "userspace/memory/reach/chunked_vector.h"
#include "userspace/memory/reach/start_map.h"

namespace dwell::memory::reach {

struct LiveBlock {
  std::uint64_t address = 0, usable = 0;
  auto operator<=>(const LiveBlock&) const = default;
};

class BlockIndex {
 public:
  static constexpr std::uint32_t kNone = StartMap::kNone;

  // `ranges`: where blocks are, in address order.
  explicit BlockIndex(const std::vector<heap::Range>& ranges, std::uint64_t alignment = 16) : starts_(ranges, alignment) {}
  // In address order. What is outside of the ranges, or misaligned, is left out.
  void add(const heap::Block& block);
  void finish() { starts_.finish(); }

  std::uint32_t size() const { return starts_.size(); }
  // Region by region in address order: where it is, and which blocks begin in it, [first, last).
  template <typename Visit>
  void for_each_region(Visit visit) const {
    starts_.for_each_region(visit);
  }
  // In address order: visit(index, block).
  template <typename Visit>
  void for_each(Visit visit) const {
    starts_.for_each([&](std::uint32_t index, std::uint64_t address) { visit(index, LiveBlock{address, usable(index)}); });
  }
  StartMap::Cursor cursor(const heap::Range& region) const { return {starts_, region}; }
  LiveBlock block(std::uint32_t index) const { return {starts_.address(index), usable(index)}; }
  std::uint64_t usable(std::uint32_t index) const {
    std::uint64_t units = sizes_[index] & ~kSharesLastWord;
    return (units == kLarge ? large_usable(index) : units) * 8;
  }
  // The block that `word` points to or into; kNone: none. Where blocks share their last word with the header of the next, a pointer
  // just behind the block belongs to it as well: programs keep only "array + 1" of an array of one element.
  std::uint32_t find(std::uint64_t word) const {
    StartMap::Found found = starts_.at_or_before(word);
    if (found.index == kNone) return kNone;
    std::uint64_t size = usable(found.index);
    if (sizes_[found.index] & kSharesLastWord) ++size;
    return word - found.address < size ? found.index : kNone;
  }
  // Whether it lies where blocks may be.
  bool is_in_heap(std::uint64_t word) const { return starts_.is_inside(word); }
  // Where those begin that are marked. The index is of no use afterwards.
  StartMap take_marked(const std::vector<bool>& marked) &&;

 private:
  static constexpr std::uint16_t kSharesLastWord = 1u << 15, kLarge = kSharesLastWord - 1;
  std::uint64_t large_usable(std::uint32_t index) const;

  StartMap starts_;
  ChunkedVector<std::uint16_t> sizes_;  // in 8 bytes; the highest bit: the last word is not the block's alone
  std::vector<std::pair<std::uint32_t, std::uint64_t>> large_;
};

}  // namespace dwell::memory::reach
