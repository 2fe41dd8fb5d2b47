// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/reach/block_index.h"

#include <algorithm>

namespace dwell::memory::reach {
namespace {

using heap::kPageSize;

constexpr std::uint64_t kMostInRegion = std::uint64_t{8} << 32;  // what 32 bits of 8 bytes reach
constexpr std::uint64_t kMostPages = std::uint64_t{1} << 30;     // 4 TiB of heap

}  // namespace

BlockIndex::BlockIndex(const std::vector<heap::Range>& ranges) {
  std::size_t pages = 0;
  for (const heap::Range& range : ranges) {
    std::uint64_t start = range.start & ~(kPageSize - 1);
    std::uint64_t end = std::min((range.end + kPageSize - 1) & ~(kPageSize - 1), start + kMostInRegion);
    if (!regions_.empty()) start = std::max(start, regions_.back().end);
    if (start >= end || pages + (end - start) / kPageSize > kMostPages) continue;
    regions_.push_back({start, end, pages, 0});
    pages += (end - start) / kPageSize + 1;
  }
  page_first_.resize(pages);
  if (regions_.empty()) return;
  lowest_ = regions_.front().start;
  span_ = regions_.back().end - lowest_;
}

void BlockIndex::add(const heap::Block& block) {
  while (region_ < regions_.size() && block.address >= regions_[region_].end) {
    for (; page_ <= (regions_[region_].end - regions_[region_].start) / kPageSize; ++page_)
      page_first_[regions_[region_].first_page + page_] = static_cast<std::uint32_t>(starts_.size());
    page_ = 0;
    if (++region_ < regions_.size()) regions_[region_].first_block = static_cast<std::uint32_t>(starts_.size());
  }
  if (region_ >= regions_.size() || starts_.size() >= kNone - 1) return;
  Region& region = regions_[region_];
  if (block.address < region.start || block.address % 8 || block.usable / 8 >= kSharesLastWord) return;
  std::uint64_t last = starts_.size() > region.first_block ? region.start + std::uint64_t{starts_.back()} * 8 : 0;
  if (block.address <= last) return;
  for (; page_ <= (block.address - region.start) / kPageSize; ++page_)
    page_first_[region.first_page + page_] = static_cast<std::uint32_t>(starts_.size());
  starts_.push_back(static_cast<std::uint32_t>((block.address - region.start) / 8));
  sizes_.push_back(static_cast<std::uint32_t>(block.usable / 8) | (block.header == 8 ? kSharesLastWord : 0));
}

void BlockIndex::finish() {
  heap::Block end{~std::uint64_t{0}, 0, 0, 0, heap::BlockState::kLive};
  add(end);
  starts_.shrink_to_fit();
  sizes_.shrink_to_fit();
}

const BlockIndex::Region& BlockIndex::region_of_block(std::uint32_t index) const {
  auto after = std::upper_bound(regions_.begin(), regions_.end(), index,
                                [](std::uint32_t i, const Region& region) { return i < region.first_block; });
  return *(after - 1);
}

LiveBlock BlockIndex::block(std::uint32_t index) const {
  return {region_of_block(index).start + std::uint64_t{starts_[index]} * 8,
          std::uint64_t{sizes_[index] & ~kSharesLastWord} * 8};
}

const BlockIndex::Region* BlockIndex::region_of(std::uint64_t address) const {
  const Region& last = regions_[last_region_];
  if (address >= last.start && address < last.end) return &last;
  auto after = std::upper_bound(regions_.begin(), regions_.end(), address,
                                [](std::uint64_t a, const Region& region) { return a < region.start; });
  if (after == regions_.begin() || address >= (after - 1)->end) return nullptr;
  last_region_ = static_cast<std::size_t>(after - 1 - regions_.begin());
  return &*(after - 1);
}

std::uint32_t BlockIndex::find_in_regions(std::uint64_t word) const {
  const Region* region = region_of(word);
  if (!region) return kNone;
  std::size_t page = region->first_page + (word - region->start) / kPageSize;
  auto offset = static_cast<std::uint32_t>((word - region->start) / 8);
  auto first = starts_.begin() + page_first_[page], last = starts_.begin() + page_first_[page + 1];
  auto after = std::upper_bound(first, last, offset);
  auto index = static_cast<std::uint32_t>(after - starts_.begin());
  if (index == region->first_block) return kNone;
  --index;
  std::uint32_t size = sizes_[index] & ~kSharesLastWord;
  if (sizes_[index] & kSharesLastWord && size > 1) --size;
  return offset - starts_[index] < size ? index : kNone;
}

}  // namespace dwell::memory::reach
