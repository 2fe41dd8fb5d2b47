// SPDX-License-Identifier: Apache-2.0
// BlockBatch: collects blocks, and hands them on some at a time.
#pragma once

#include <vector>

#include "userspace/memory/heap/heap.h"

namespace dwell::memory::heap {

class BlockBatch {
 public:
  explicit BlockBatch(const Heap::Sink& sink) : sink_(sink) { blocks_.reserve(kAtOnce); }
  ~BlockBatch() { flush(); }
  void add(const Block& block) {
    blocks_.push_back(block);
    if (blocks_.size() == kAtOnce) flush();
  }
  // All of a stretch as one block, without a header; nothing where it is empty.
  void add(std::uint64_t start, std::uint64_t end, BlockState state, std::uint32_t arena = 0) {
    if (start < end) add({start, end - start, 0, arena, state});
  }
  void flush() {
    if (!blocks_.empty()) sink_(blocks_);
    blocks_.clear();
  }

 private:
  static constexpr std::size_t kAtOnce = 1024;
  const Heap::Sink& sink_;
  std::vector<Block> blocks_;
};

}  // namespace dwell::memory::heap
