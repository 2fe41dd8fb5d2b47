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

}  // namespace

void Candidates::mark_known(const BlockIndex& index, const Graph& graph, std::vector<bool>& marked, std::vector<LateWord> now) const {
  if (looks_ == 0) return;
  auto mark = [&](std::uint64_t word) {
    if (std::uint32_t block = index.find(word); block != BlockIndex::kNone) graph.mark(block, marked);
  };
  std::ranges::sort(now);
  for (const LateWord& one : late_.words) mark(one.word);
  for (const PeekedWord& one : late_.peeked)
    if (!std::ranges::binary_search(now, one.late)) mark(one.target);
  index.for_each([&](std::uint32_t i, const LiveBlock& block) {
    if (!marked[i] && reached_.begins_at(block.address)) graph.mark(i, marked);
  });
}

// What unreachable blocks point to is held by nobody.
void Candidates::keep(BlockIndex index, const std::vector<bool>& marked, FoundLate late) {
  auto is_held_by_nobody = [&](const LateWord& one) {
    std::uint32_t holder = one.from ? index.find(one.from) : BlockIndex::kNone;
    return holder != BlockIndex::kNone && !marked[holder];
  };
  late_ = std::move(late);
  std::erase_if(late_.words, is_held_by_nobody);
  std::erase_if(late_.peeked, [&](const PeekedWord& one) { return is_held_by_nobody(one.late); });
  reached_ = std::move(index).take_marked(marked);
}

void Candidates::add_look(const BlockIndex& index, const std::vector<bool>& marked) {
  std::vector<LiveBlock> left;
  std::size_t newly = 0;
  Beside before(candidates_);
  index.for_each([&](std::uint32_t i, const LiveBlock& block) {
    bool is_candidate = looks_ == 0 || before.has(block);
    if (is_candidate && marked[i]) ++newly;
    if (is_candidate && !marked[i]) left.push_back(block);
  });
  quiet_ = looks_ == 0 ? 0 : newly == 0 ? quiet_ + 1 : 0;
  ++looks_;
  candidates_ = std::move(left);
}

}  // namespace dwell::memory::reach
