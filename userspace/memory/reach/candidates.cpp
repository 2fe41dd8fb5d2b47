// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/reach/candidates.h"

#include <algorithm>

namespace dwell::memory::reach {
namespace {

// Goes through all blocks of a look in address order, beside a sorted list.
class Beside {
 public:
  explicit Beside(const std::vector<LiveBlock>& list) : list_(list) {}
  bool has(const LiveBlock& block) {
    while (at_ < list_.size() && list_[at_].address < block.address) ++at_;
    return at_ < list_.size() && list_[at_] == block;
  }

 private:
  const std::vector<LiveBlock>& list_;
  std::size_t at_ = 0;
};

template <typename Visit>
void for_each_block(const BlockIndex& index, Visit visit) {
  index.for_each_region([&](const heap::Range& region, std::uint32_t first, std::uint32_t last) {
    for (std::uint32_t i = first; i < last; ++i) visit(i, index.block_in(region, i));
  });
}

}  // namespace

// Both in address order.
std::vector<std::uint32_t> Candidates::known_roots(const BlockIndex& index) const {
  std::vector<std::uint32_t> roots;
  std::uint32_t at = 0;
  LiveBlock before;
  for_each_block(index, [&](std::uint32_t i, const LiveBlock& block) {
    while (at < last_.size() && (before = last_.block(at)).address < block.address) ++at;
    if (at < last_.size() && before == block && reached_[at]) roots.push_back(i);
  });
  return roots;
}

void Candidates::add_look(BlockIndex index, std::vector<bool> marked) {
  std::vector<LiveBlock> left;
  std::size_t newly = 0;
  Beside before(candidates_);
  for_each_block(index, [&](std::uint32_t i, const LiveBlock& block) {
    bool is_candidate = looks_ == 0 || before.has(block);
    if (is_candidate && marked[i]) ++newly;
    if (is_candidate && !marked[i]) left.push_back(block);
  });
  quiet_ = looks_ == 0 ? 0 : newly == 0 ? quiet_ + 1 : 0;
  ++looks_;
  last_ = std::move(index);
  reached_ = std::move(marked);
  candidates_ = std::move(left);
}

}  // namespace dwell::memory::reach
