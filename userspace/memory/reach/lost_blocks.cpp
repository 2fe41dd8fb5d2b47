// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/reach/lost_blocks.h"

#include <algorithm>

namespace dwell::memory::reach {
namespace {

class LostBlocks {
 public:
  LostBlocks(const BlockIndex& index, const Graph& graph, const std::vector<std::uint32_t>& unreachable)
      : index_(index), graph_(graph), all_(unreachable), held_(all_.size()), visited_(all_.size()) {}

  std::vector<LostBlock> find() {
    for (std::uint32_t block : all_)
      graph_.for_each_target(block, [&](std::uint32_t target) {
        if (std::size_t at = place_of(target); at < all_.size()) held_[at] = true;
      });
    for (std::size_t i = 0; i < all_.size(); ++i)
      if (!held_[i]) take(i, false);
    for (std::size_t i = 0; i < all_.size(); ++i)  // all that is left lies in rings, or behind one
      if (!visited_[i]) take(i, true);
    return std::move(found_);
  }

 private:
  std::size_t place_of(std::uint32_t block) const {
    auto at = std::lower_bound(all_.begin(), all_.end(), block);
    return at != all_.end() && *at == block ? static_cast<std::size_t>(at - all_.begin()) : all_.size();
  }

  void take(std::size_t first, bool in_cycle) {
    LostBlock lost{index_.block(all_[first]), in_cycle};
    std::vector<std::size_t> open{first};
    visited_[first] = true;
    while (!open.empty()) {
      std::size_t at = open.back();
      open.pop_back();
      graph_.for_each_target(all_[at], [&](std::uint32_t target) {
        std::size_t next = place_of(target);
        if (next == all_.size() || visited_[next]) return;
        visited_[next] = true;
        ++lost.held_blocks;
        lost.held_bytes += index_.usable(target);
        open.push_back(next);
      });
    }
    found_.push_back(lost);
  }

  const BlockIndex& index_;
  const Graph& graph_;
  const std::vector<std::uint32_t>& all_;
  std::vector<bool> held_, visited_;
  std::vector<LostBlock> found_;
};

}  // namespace

std::vector<LostBlock> lost_blocks(const BlockIndex& index, const Graph& graph,
                                   const std::vector<std::uint32_t>& unreachable) {
  return LostBlocks(index, graph, unreachable).find();
}

}  // namespace dwell::memory::reach
