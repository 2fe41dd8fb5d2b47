// SPDX-License-Identifier: Apache-2.0
// LateWords: pointers into a heap to what was no live block when the heap was walked.
//
// A look walks the heap first, and reads what the blocks contain afterwards. A pointer that it reads may lead to a block that was
// allocated in between, which the walk did not meet: what hangs on that alone would look as if nothing led there, and in each look
// again where a list gets one element after the other at its head. So such words are kept until the next look, whose walk knows
// that block. It may be gone by then: so what lies there is read at once, too, and what that leads to counts as reachable if the pointer has changed
// since. A pointer that has not, and still leads to no block, is one to a block that was freed long ago: it holds nothing.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "userspace/memory/reach/block_index.h"

namespace dwell::memory::reach {

struct LateWord {
  std::uint64_t from = 0;  // address of the block or of the word that holds it; 0: a register, or the kernel
  std::uint64_t word = 0;
  auto operator<=>(const LateWord&) const = default;
};

struct PeekedWord {
  LateWord late;
  std::uint64_t target = 0;  // of a block that the walk met: what lay at the late word led there
};

// Of a look, for the next one.
struct FoundLate {
  std::vector<LateWord> words;
  std::vector<PeekedWord> peeked;
};

class LateWords {
 public:
  // So many of either are kept, or one for each eight blocks: 40 MB, or five bytes a block.
  static constexpr std::size_t kMost = std::size_t{1} << 20, kBlocksForOne = 8;

  // Both outlive it.
  LateWords(const heap::Target& target, const BlockIndex& index);

  // A word that leads to no block: kept if one may have come to be there since the walk.
  void add(std::uint64_t from, std::uint64_t word) {
    if (may_be_new(word)) keep(from, word);
  }
  // Reads what the words lead to that were kept since the last time.
  void peek();

  const std::vector<LateWord>& words() const { return found_.words; }
  FoundLate take() && { return std::move(found_); }
  // There were more: what is not marked may be held all the same.
  bool full() const { return full_; }

 private:
  // In the heap as it was, where it grows to, or where nothing was mapped beside what is.
  bool may_be_new(std::uint64_t word) const {
    if (index_.is_in_heap(word) || word - brk_.start < brk_.end - brk_.start) return true;
    return word - mapped_.start < mapped_.end - mapped_.start && !is_mapped(word);
  }
  bool is_mapped(std::uint64_t address) const;
  void keep(std::uint64_t from, std::uint64_t word) {
    if (found_.words.size() < most_)
      found_.words.push_back({from, word});
    else
      full_ = true;
  }

  const heap::Target& target_;
  const BlockIndex& index_;
  heap::Range brk_, mapped_;
  mutable std::size_t last_ = 0;  // mapping
  FoundLate found_;
  std::size_t peeked_until_ = 0, most_;
  bool full_ = false;
};

}  // namespace dwell::memory::reach
