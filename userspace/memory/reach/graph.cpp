// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/reach/graph.h"

#include <algorithm>

namespace dwell::memory::reach {
namespace {

constexpr std::size_t kMostEdges = 0xfffffff0;

}  // namespace

Graph::Graph(const BlockIndex& index, WordScan& scan) {
  begin_.reserve(index.size() + 1);
  index.for_each_region([&](const heap::Range& region, std::uint32_t first, std::uint32_t last) {
    next_ = first;
    if (first == last) return;
    scan.range(region.start, region.end, [&](std::span<const std::uint64_t> words, std::uint64_t address) {
      scan_piece(index, region, last, words, address);
    });
  });
  begin_until(static_cast<std::uint32_t>(index.size()));
}

void Graph::begin_until(std::uint32_t block) {
  if (begin_.size() <= block) begin_.resize(std::size_t{block} + 1, static_cast<std::uint32_t>(edges_.size()));
}

// A block that goes on behind the piece stays the next one.
void Graph::scan_piece(const BlockIndex& index, const heap::Range& region, std::uint32_t last,
                       std::span<const std::uint64_t> words, std::uint64_t address) {
  std::uint64_t end = address + words.size_bytes();
  for (; next_ < last; ++next_) {
    LiveBlock block = index.block_in(region, next_);
    if (block.address >= end) return;
    begin_until(next_);
    std::uint64_t from = std::max(block.address, address), to = std::min(block.address + block.usable, end);
    for (std::uint64_t at = from; at < to; at += 8) {
      std::uint32_t target = index.find(words[(at - address) / 8]);
      if (target == BlockIndex::kNone || target == next_) continue;
      if (edges_.size() > begin_[next_] && edges_.back() == target) continue;
      if (edges_.size() >= kMostEdges) {
        cut_ = true;
        return;
      }
      edges_.push_back(target);
    }
    if (block.address + block.usable > end) return;
  }
}

std::size_t Graph::mark(std::vector<std::uint32_t> roots, std::vector<bool>& marked) const {
  std::size_t count = 0;
  std::vector<std::uint32_t> open;
  auto meet = [&](std::uint32_t block) {
    if (marked[block]) return;
    marked[block] = true;
    ++count;
    open.push_back(block);
  };
  for (std::uint32_t root : roots) meet(root);
  while (!open.empty()) {
    std::uint32_t block = open.back();
    open.pop_back();
    for (std::uint32_t target : from(block)) meet(target);
  }
  return count;
}

}  // namespace dwell::memory::reach
