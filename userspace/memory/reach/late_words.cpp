// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/reach/late_words.h"

#include <algorithm>
#include <array>

#include "userspace/memory/heap/glibc_segments.h"

namespace dwell::memory::reach {
namespace {

// Links of lists and trees stand among the first words of an element.
constexpr std::uint64_t kMostGrowth = std::uint64_t{4} << 30;  // during a look
constexpr std::uint64_t kMmapArea = 0x7000'0000'0000;          // mappings are given out from the top down (x86-64, mm/mmap.c)
constexpr std::size_t kPeekedWords = 16, kAtOnce = 256;

}  // namespace

LateWords::LateWords(const heap::Target& target, const BlockIndex& index) : target_(&target), index_(&index) {
  most_ = std::max<std::size_t>(kMost, index.size() / kBlocksForOne);
  heap::Range brk = heap::brk_range(target.mappings);
  if (brk.end) brk_ = {brk.end, brk.end + kMostGrowth};
  for (const Mapping& mapping : target.mappings) {
    if (mapping.start < kMmapArea) continue;
    if (!mapped_.end) mapped_.start = mapping.start - kMostGrowth;  // new mappings come below the others
    if (mapping.path != "[vsyscall]") mapped_.end = mapping.end;
  }
}

bool LateWords::is_mapped(std::uint64_t address) const {
  const std::vector<Mapping>& mappings = target_->mappings;
  if (last_ < mappings.size() && address >= mappings[last_].start && address < mappings[last_].end) return true;
  auto after = std::ranges::upper_bound(mappings, address, {}, &Mapping::start);
  if (after == mappings.begin() || address >= (after - 1)->end) return false;
  last_ = static_cast<std::size_t>(after - 1 - mappings.begin());
  return true;
}

void LateWords::peek() {
  std::vector<std::array<std::uint64_t, kPeekedWords>> contents;
  std::vector<MemoryPiece> pieces;
  for (; target_ && peeked_until_ < words_.size(); peeked_until_ += pieces.size()) {
    std::size_t count = std::min(kAtOnce, words_.size() - peeked_until_);
    contents.resize(count);
    pieces.clear();
    for (std::size_t i = 0; i < count; ++i)
      pieces.push_back({words_[peeked_until_ + i].word & ~std::uint64_t{7}, sizeof contents[i], reinterpret_cast<char*>(contents[i].data())});
    target_->memory.read_pieces(pieces);
    for (std::size_t i = 0; i < count; ++i) {
      if (!pieces[i].read) continue;
      for (std::uint64_t word : contents[i]) {
        if (index_->find(word) == BlockIndex::kNone) continue;
        if (peeked_.size() == most_) full_ = true;
        if (peeked_.size() < most_) peeked_.push_back({words_[peeked_until_ + i], word});
      }
    }
  }
}

}  // namespace dwell::memory::reach
