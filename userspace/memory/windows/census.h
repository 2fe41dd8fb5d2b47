// SPDX-License-Identifier: Apache-2.0
// Census: the live blocks of a heap, counted by two walks. Of each kind of block (its size, and the class of what it holds):
// how much of what lives now came since the first walk. No probe sees that, and so what windows estimate is held against it.
//
// A block is the one that was there before if it has the same place and size, and one of its first words that no other block
// of its kind had. Where the blocks of a kind have equal contents, this stays open: a count is then a range. Pure.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "userspace/memory/windows/look.h"

namespace dwell::memory::windows {

struct CensusBlock {
  std::uint64_t address = 0, usable = 0;
  std::uint64_t type = 0;  // its first word, where that points into constants of a file: to a vtable; else 0
  Words words{};           // those behind its end are not looked at
};

// Parts of the address space, in address order and apart.
using AddressRanges = std::vector<std::pair<std::uint64_t, std::uint64_t>>;
bool lies_in(const AddressRanges& ranges, std::uint64_t address);

struct CellCount {  // of the blocks of a kind, in usable bytes
  std::uint64_t usable = 0;
  double least = 0, most = 0;  // that came since the first walk and live
  double growth = 0;           // live now, less what was live then
};

class Census {
 public:
  static constexpr std::uint32_t kNoCell = (1u << 29) - 1;
  static constexpr std::size_t kMostKept = 2'000'000;  // blocks of the first walk; of more, those of some of the pages

  explicit Census(std::size_t most_kept = kMostKept) : most_kept_(most_kept) {}

  // The first walk, in any order.
  void add_before(const CensusBlock& block);
  // Then the second one, after end_before(). Returns the block's cell; kNoCell: there are too many kinds.
  void end_before();
  std::uint32_t add_now(const CensusBlock& block);
  std::vector<CellCount> counts() const;

 private:
  struct Old {
    std::uint64_t address;
    std::uint32_t hashes[kWords];
    std::uint32_t cell : 29, unique : 3;  // unique: bits of words that no other block of the cell has
  };
  struct Cell {
    std::uint64_t usable = 0;
    std::uint64_t before = 0, now = 0;           // blocks, all
    std::uint64_t came = 0, open = 0, kept = 0;  // on the pages that are kept: came since, not known, the same as before
  };
  std::uint32_t cell_of(const CensusBlock& block);
  bool is_kept(std::uint64_t address) const;
  const Old* before_at(std::uint64_t address);
  void find_unique_words(std::size_t word);

  std::size_t most_kept_;
  unsigned thinned_ = 0;  // one of 2^thinned_ pages is kept
  std::vector<Old> old_;  // in address order after end_before()
  std::size_t hint_ = 0;
  std::vector<Cell> cells_;
  absl::flat_hash_map<std::pair<std::uint64_t, std::uint64_t>, std::uint32_t> index_;  // by usable and type
};

}  // namespace dwell::memory::windows
