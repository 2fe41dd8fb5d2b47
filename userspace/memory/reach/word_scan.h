// SPDX-License-Identifier: Apache-2.0
// Goes through the words of a range that are in memory, piece by piece.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "userspace/memory/heap/heap.h"

namespace dwell::memory::reach {

class WordScan {
 public:
  explicit WordScan(const heap::Target& target) : target_(target), words_(kPiece / 8) {}

  // `visit` gets words and the address of the first of them. Pages not in memory are passed over.
  template <typename Visit>
  void range(std::uint64_t start, std::uint64_t end, Visit visit) {
    start = (start + 7) & ~std::uint64_t{7};
    end &= ~std::uint64_t{7};
    for (std::uint64_t at = start; at < end;) {
      std::uint64_t run = present_run(at, end);  // 0: absent
      if (run == 0) {
        at = next_;
        continue;
      }
      std::size_t got = target_.memory.read_some(at, words_.data(), run) / 8;
      unread_ += run / 8 - got;
      visit(std::span<const std::uint64_t>(words_.data(), got), at);
      at += run;
    }
  }
  std::uint64_t swapped_pages() const { return swapped_; }
  std::uint64_t unread_words() const { return unread_; }

 private:
  static constexpr std::size_t kPiece = 1 << 20;
  // Bytes from `at` on that are in memory, at most a piece; else 0, and `next_` is where to go on.
  std::uint64_t present_run(std::uint64_t at, std::uint64_t end);

  const heap::Target& target_;
  std::vector<std::uint64_t> words_;
  std::uint64_t next_ = 0, swapped_ = 0, unread_ = 0;
};

}  // namespace dwell::memory::reach
