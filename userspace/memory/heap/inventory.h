// SPDX-License-Identifier: Apache-2.0
// Inventory: what a walk over a heap adds up to.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "userspace/memory/heap/heap.h"

namespace dwell::memory::heap {

struct Amount {
  std::uint64_t blocks = 0;
  std::uint64_t bytes = 0;
  std::uint64_t resident = 0;  // of those, in memory

  void add(std::uint64_t more, std::uint64_t more_resident) { ++blocks, bytes += more, resident += more_resident; }
  Amount& operator+=(const Amount& other);
};
using AmountsByState = std::array<Amount, kBlockStates>;

struct SizeClass {
  std::uint64_t from = 0, to = 0;  // usable bytes, both included
  Amount live, free;               // free: in any of the allocator's lists, the top left out
};

// Free memory that can't be given back because live blocks lie on the same pages, by the size of those blocks.
struct Pin {
  std::uint64_t from = 0, to = 0;  // usable bytes of the live blocks
  std::uint64_t blocks = 0, pages = 0;
  std::uint64_t free_bytes = 0;
};

struct Inventory {
  AmountsByState by_state{};
  std::uint64_t headers = 0;  // bytes: the allocator's words before each block
  std::vector<AmountsByState> by_arena;
  std::vector<SizeClass> sizes;  // in order of size, those that have blocks
  std::uint64_t trimmable = 0;   // bytes in memory that malloc_trim(0) would give back; 0 where there is none
  std::vector<Pin> pins;         // by free bytes
  std::uint64_t pinned_bytes = 0;

  Amount live() const;
  Amount free() const;  // thread caches, fastbins and tops included
};

// Size classes double, with four steps each: 24, 32, 40, 48, 56, 64, 80 …
std::size_t size_class_of(std::uint64_t usable);
std::uint64_t largest_of_class(std::size_t index);

// Fed by a walk.
class InventoryMaker {
 public:
  InventoryMaker(const PageStates& pages, const Heap& heap);
  void add(std::span<const Block> blocks);
  Inventory finish();

 private:
  void add(const Block& block);
  std::uint64_t resident_of(std::uint64_t start, std::uint64_t size);
  void load_pages(std::uint64_t page);
  bool present(std::uint64_t page);
  void add_to_page(const Block& block);
  void end_page();
  void add_to_free_run(const Block& block);
  void end_free_run();

  const PageStates& pages_;
  const Heap& heap_;
  Inventory inventory_;
  std::vector<SizeClass> sizes_;
  std::vector<Pin> pins_;
  // The states of the pages around where the walk is.
  std::vector<PageState> states_;
  std::uint64_t first_page_ = 0;
  // The page that blocks are being counted on.
  std::uint64_t page_ = 0, page_live_ = 0, page_free_ = 0;
  std::vector<std::size_t> page_classes_;  // of the live blocks on it
  // Adjacent free chunks, which malloc_trim merges.
  Range free_run_;
};

}  // namespace dwell::memory::heap
