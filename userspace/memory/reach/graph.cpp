// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/reach/graph.h"

#include <algorithm>

namespace dwell::memory::reach {
namespace {

constexpr std::size_t kMostEdges = 0xfffffff0;

}  // namespace

// Goes through the blocks of a region beside the words that are read of it.
class Graph::Reading {
 public:
  Reading(Graph& graph, const BlockIndex& index, const FirstWords& first_words, LateWords* late)
      : graph_(graph), index_(index), first_words_(first_words), late_(late) {}

  void region(const heap::Range& range, std::uint32_t first, std::uint32_t last, WordScan& scan) {
    if (first == last) return;
    next_ = first, last_ = last;
    StartMap::Cursor cursor = index_.cursor(range);
    cursor_ = &cursor;
    block_ = {cursor.next(), index_.usable(next_)};
    begun_ = false;
    scan.range(range.start, range.end, [&](std::span<const std::uint64_t> words, std::uint64_t address) { piece(words, address); });
    if (begun_) end_block();
  }

 private:
  // A block that goes on behind the piece stays the next one.
  void piece(std::span<const std::uint64_t> words, std::uint64_t address) {
    read(words, address);
    if (late_) late_->peek();
  }

  void read(std::span<const std::uint64_t> words, std::uint64_t address) {
    std::uint64_t end = address + words.size_bytes();
    while (next_ < last_ && block_.address < end) {
      if (!begun_) begin_block();
      std::uint64_t from = std::max(block_.address, address), to = std::min(block_.address + block_.usable, end);
      if (first_words_ && from == block_.address && from < to) tell_first(words.subspan((from - address) / 8), to - from);
      for (std::uint64_t at = from; at < to; at += 8) add(words[(at - address) / 8]);
      if (block_.address + block_.usable > end) return;
      end_block();
      if (++next_ < last_) block_ = {cursor_->next(), index_.usable(next_)};
    }
  }

  void tell_first(std::span<const std::uint64_t> words, std::uint64_t size) const {
    first_words_(next_, words[0], size >= 16 ? words[1] : 0);
  }

  void begin_block() {
    begun_ = true;
    first_edge_ = graph_.edges_.size();
    graph_.begin_until(next_);
  }

  void add(std::uint64_t word) {
    std::uint32_t target = index_.find(word);
    if (target == BlockIndex::kNone && late_) late_->add(block_.address, word);
    if (target == BlockIndex::kNone || target == next_) return;
    if (graph_.edges_.size() > first_edge_ && graph_.edges_.back() == target) return;
    if (graph_.edges_.size() >= kMostEdges) {
      graph_.cut_ = true;
      return;
    }
    graph_.edges_.push_back(target);
  }

  void end_block() {
    begun_ = false;
    if (graph_.edges_.size() == first_edge_) return;
    graph_.edges_.back() |= kLast;
    graph_.points_[next_ / 64] |= std::uint64_t{1} << next_ % 64;
  }

  Graph& graph_;
  const BlockIndex& index_;
  const FirstWords& first_words_;
  LateWords* late_;
  std::uint32_t next_ = 0, last_ = 0;  // block
  LiveBlock block_;
  StartMap::Cursor* cursor_ = nullptr;
  bool begun_ = false;
  std::size_t first_edge_ = 0;
};

Graph::Graph(const BlockIndex& index, WordScan& scan, FirstWords first_words, LateWords* late)
    : blocks_(index.size()), points_(index.size() / 64 + 1) {
  groups_.reserve(blocks_ / kGroup + 1);
  Reading reading(*this, index, first_words, late);
  index.for_each_region([&](const heap::Range& region, std::uint32_t first, std::uint32_t last) {
    reading.region(region, first, last, scan);
  });
  begin_until(blocks_);
  ranks_.reserve(points_.size());
  for (std::uint64_t bits : points_) {
    ranks_.push_back(pointing_);
    pointing_ += static_cast<std::uint32_t>(std::popcount(bits));
  }
}

void Graph::begin_until(std::uint32_t block) {
  if (std::size_t groups = block / kGroup + 1; groups_.size() < groups)
    groups_.resize(groups, static_cast<std::uint32_t>(edges_.size()));
}

std::uint32_t Graph::first_edge(std::uint32_t block) const {
  if (!points(block)) return kNoEdge;
  std::uint32_t edge = groups_[block / kGroup];
  std::uint32_t before = rank(block) - rank(block / kGroup * kGroup);
  while (before) before -= edges_[edge++] >> 31;
  return edge;
}

void Graph::mark(std::uint32_t root, std::vector<bool>& marked) const {
  auto meet = [&](std::uint32_t block) {
    if (marked[block]) return;
    marked[block] = true;
    if (points(block)) open_.push_back(block);
  };
  meet(root);
  while (!open_.empty()) {
    std::uint32_t block = open_.back();
    open_.pop_back();
    for_each_target(block, meet);
  }
}

}  // namespace dwell::memory::reach
