// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/reach/block_index.h"

#include <algorithm>

namespace dwell::memory::reach {

void BlockIndex::add(const heap::Block& block) {
  if (block.usable >> 47 || !starts_.add(block.address)) return;
  std::uint64_t units = (block.usable + 7) / 8;
  if (units >= kLarge) large_.push_back({starts_.size() - 1, units});
  sizes_.push_back(static_cast<std::uint16_t>(std::min<std::uint64_t>(units, kLarge) | (block.header == 8 ? kSharesLastWord : 0)));
}

std::uint64_t BlockIndex::large_usable(std::uint32_t index) const {
  auto found = std::lower_bound(large_.begin(), large_.end(), std::pair(index, std::uint64_t{0}));
  return found != large_.end() ? found->second : 0;
}

StartMap BlockIndex::take_marked(const std::vector<bool>& marked) && {
  starts_.keep_only([&](std::uint32_t index) { return marked[index]; });
  return std::move(starts_);
}

}  // namespace dwell::memory::reach
