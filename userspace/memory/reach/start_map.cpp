// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/reach/start_map.h"

#include <algorithm>

namespace dwell::memory::reach {
namespace {

using heap::kPageSize;

constexpr std::uint64_t kMostPages = std::uint64_t{1} << 28;  // 1 TiB of heap
constexpr std::uint32_t kMostBlocks = 1u << 31;

}  // namespace

StartMap::StartMap(const std::vector<heap::Range>& ranges, std::uint64_t alignment) : shift_(alignment % 16 ? 3 : 4) {
  std::size_t pages = 0;
  for (const heap::Range& range : ranges) {
    std::uint64_t start = range.start & ~(kPageSize - 1), end = (range.end + kPageSize - 1) & ~(kPageSize - 1);
    if (!regions_.empty()) start = std::max(start, regions_.back().end);
    if (start >= end || pages + (end - start) / kPageSize > kMostPages) continue;
    regions_.push_back({start, end, pages, 0, 0});
    pages += (end - start) / kPageSize;
  }
  pages_.resize(pages);
  if (regions_.empty()) return;
  lowest_ = regions_.front().start;
  span_ = regions_.back().end - lowest_;
}

bool StartMap::add(std::uint64_t address) {
  while (region_ < regions_.size() && address >= regions_[region_].end) {
    const Region& region = regions_[region_];
    for (; page_ < region.first_page + region.pages(); ++page_) pages_[page_].first_block = count_;
    if (++region_ < regions_.size()) regions_[region_].first_block = count_;
  }
  if (region_ >= regions_.size() || count_ >= kMostBlocks) return false;
  Region& region = regions_[region_];
  if (address < region.start || address <= last_ || address & ((std::uint64_t{1} << shift_) - 1)) return false;
  last_ = address;
  std::size_t page = region.first_page + (address - region.start) / kPageSize;
  for (; page_ <= page; ++page_) pages_[page_].first_block = count_;
  if (pages_[page].bits == kNone) {
    pages_[page].bits = static_cast<std::uint32_t>(bits_.size());
    for (std::size_t i = 0; i < words_a_page(); ++i) bits_.push_back(0);
  }
  std::size_t bit = address % kPageSize >> shift_;
  bits_[pages_[page].bits + bit / 64] |= std::uint64_t{1} << bit % 64;
  ++region.blocks, ++count_;
  return true;
}

void StartMap::finish() {
  for (; page_ < pages_.size(); ++page_) pages_[page_].first_block = count_;
  while (++region_ < regions_.size()) regions_[region_].first_block = count_;
}

const StartMap::Region* StartMap::region_of(std::uint64_t address) const {
  const Region& last = regions_[last_region_];
  if (address >= last.start && address < last.end) return &last;
  auto after = std::upper_bound(regions_.begin(), regions_.end(), address,
                                [](std::uint64_t a, const Region& region) { return a < region.start; });
  if (after == regions_.begin() || address >= (after - 1)->end) return nullptr;
  last_region_ = static_cast<std::size_t>(after - 1 - regions_.begin());
  return &*(after - 1);
}

StartMap::Found StartMap::in_regions(std::uint64_t address) const {
  const Region* region = region_of(address);
  if (!region) return {};
  const Page& page = pages_[region->first_page + (address - region->start) / kPageSize];
  std::uint32_t index = page.first_block;
  std::uint64_t found = 0;
  if (page.bits != kNone) {
    std::size_t bit = address % kPageSize >> shift_;
    for (std::size_t word = 0; word <= bit / 64; ++word) {
      std::uint64_t bits = bits_[page.bits + word];
      if (word == bit / 64) bits &= ~std::uint64_t{0} >> (63 - bit % 64);
      if (!bits) continue;
      index += static_cast<std::uint32_t>(std::popcount(bits));
      found = (address & ~(kPageSize - 1)) + ((word * 64 + 63 - static_cast<unsigned>(std::countl_zero(bits))) << shift_);
    }
  }
  if (index == region->first_block) return {};
  --index;
  return {index, found ? found : this->address(index)};
}

// The page is the last one before which no more than `index` blocks begin.
std::uint64_t StartMap::address(std::uint32_t index) const {
  auto after = std::upper_bound(regions_.begin(), regions_.end(), index,
                                [](std::uint32_t i, const Region& region) { return i < region.first_block; });
  do --after; while (after->blocks == 0);
  auto first = pages_.begin() + static_cast<std::ptrdiff_t>(after->first_page);
  auto last = first + static_cast<std::ptrdiff_t>(after->pages());
  auto page = std::upper_bound(first, last, index, [](std::uint32_t i, const Page& one) { return i < one.first_block; }) - 1;
  std::uint32_t rank = index - page->first_block;
  std::uint64_t page_start = after->start + static_cast<std::uint64_t>(page - first) * kPageSize;
  for (std::size_t word = 0; word < words_a_page(); ++word) {
    std::uint64_t bits = bits_[page->bits + word];
    auto count = static_cast<std::uint32_t>(std::popcount(bits));
    if (rank >= count) {
      rank -= count;
      continue;
    }
    for (; rank; --rank) bits &= bits - 1;
    return page_start + bit_address(word, bits);
  }
  return 0;
}

StartMap::Cursor::Cursor(const StartMap& map, const heap::Range& region)
    : map_(map), page_start_(region.start), end_(region.end) {
  const Region* found = region.start < region.end && map.span_ ? map.region_of(region.start) : nullptr;
  if (!found) end_ = page_start_;
  page_ = found ? found->first_page : 0;
}

bool StartMap::Cursor::next_word() {
  for (;;) {
    if (page_start_ >= end_) return false;
    const Page& page = map_.pages_[page_];
    if (page.bits != kNone && word_ < map_.words_a_page()) {
      left_ = map_.bits_[page.bits + word_++];
      return true;
    }
    page_start_ += kPageSize, ++page_, word_ = 0;
  }
}

bool StartMap::begins_at(std::uint64_t address) const {
  if (address - lowest_ >= span_ || address & ((std::uint64_t{1} << shift_) - 1)) return false;
  const Region* region = region_of(address);
  if (!region) return false;
  const Page& page = pages_[region->first_page + (address - region->start) / kPageSize];
  std::size_t bit = address % kPageSize >> shift_;
  return page.bits != kNone && bits_[page.bits + bit / 64] >> bit % 64 & 1;
}

}  // namespace dwell::memory::reach
