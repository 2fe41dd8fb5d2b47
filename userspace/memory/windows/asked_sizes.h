// SPDX-License-Identifier: Apache-2.0
// AskedSizes: the sizes of blocks that a call site was met asking for. They tell which unnamed blocks may be its own.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

namespace dwell::memory::windows {

class AskedSizes {
 public:
  void add(std::uint64_t size) {
    largest_ = std::max(largest_, size);
    smallest_ = std::min(smallest_, size);
    if (several_ || std::ranges::find(sizes_, size) != sizes_.end()) return;
    if (sizes_.size() < kMost)
      sizes_.push_back(size);
    else
      several_ = true;
  }

  std::uint64_t largest() const { return largest_; }

  // Whether a block of so many usable bytes may have been asked for by it. `classes`: the usable sizes that there are in the
  // heap, ascending: an allocator takes the next one, or one that is too small to be cut.
  bool may_be(std::uint64_t usable, std::span<const std::uint64_t> classes) const {
    if (several_) return usable >= smallest_ && usable <= next_class(largest_, classes) + kTooSmallToCut;
    return std::ranges::any_of(sizes_, [&](std::uint64_t size) { return usable >= size && usable <= next_class(size, classes) + kTooSmallToCut; });
  }

 private:
  static constexpr std::size_t kMost = 8;  // of more, what lies between the smallest and the largest counts
  static constexpr std::uint64_t kTooSmallToCut = 16;

  static std::uint64_t next_class(std::uint64_t size, std::span<const std::uint64_t> classes) {
    auto next = std::ranges::lower_bound(classes, size);
    return next == classes.end() ? size : *next;
  }

  std::vector<std::uint64_t> sizes_;
  std::uint64_t largest_ = 0, smallest_ = ~std::uint64_t{0};
  bool several_ = false;
};

}  // namespace dwell::memory::windows
