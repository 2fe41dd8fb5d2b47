// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/reach/late_words.h"

#include <algorithm>
#include <array>

#include "userspace/memory/heap/glibc_segments.h"

namespace dwell::memory::reach {
namespace {

constexpr std::uint64_t kMostGrowth = std::uint64_t{4} << 30;  // during a look
constexpr std::uint64_t kMmapArea = 0x7000'0000'0000;          // mappings are given out from the top down (x86-64, mm/mmap.c)
constexpr std::size_t kPeekedWords = 16;                       // links of lists and trees stand among the first words of an element

}  // namespace

LateWords::LateWords(const heap::Target& target, const BlockIndex& index)
    : target_(target), index_(index), most_(std::max<std::size_t>(kMost, index.size() / kBlocksForOne)) {
  heap::Range brk = heap::brk_range(target.mappings);
  if (brk.end) brk_ = {brk.end, brk.end + kMostGrowth};
  for (const Mapping& mapping : target.mappings) {
    if (mapping.start < kMmapArea) continue;
    if (!mapped_.end) mapped_.start = mapping.start - kMostGrowth;  // new mappings come below the others
    if (mapping.path != "[vsyscall]") mapped_.end = mapping.end;
  }
}

bool LateWords::is_mapped(std::uint64_t address) const {
  const std::vector<Mapping>& mappings = target_.mappings;
  if (last_ < mappings.size() && address >= mappings[last_].start && address < mappings[last_].end) return true;
  auto after = std::ranges::upper_bound(mappings, address, {}, &Mapping::start);
  if (after == mappings.begin() || address >= (after - 1)->end) return false;
  last_ = static_cast<std::size_t>(after - 1 - mappings.begin());
  return true;
}

void LateWords::peek() {
  std::array<std::uint64_t, kPeekedWords> content;
  for (; peeked_until_ < found_.words.size(); ++peeked_until_) {
    const LateWord& late = found_.words[peeked_until_];
    if (!target_.memory.read(late.word & ~std::uint64_t{7}, content.data(), sizeof content)) continue;
    for (std::uint64_t word : content) {
      if (index_.find(word) == BlockIndex::kNone) continue;
      if (found_.peeked.size() < most_)
        found_.peeked.push_back({late, word});
      else
        full_ = true;
    }
  }
}

}  // namespace dwell::memory::reach
