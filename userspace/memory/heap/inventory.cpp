// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/heap/inventory.h"

#include <algorithm>
#include <bit>

namespace dwell::memory::heap {
namespace {

constexpr std::size_t kSteps = 4;               // classes a doubling
constexpr std::uint64_t kFineUpTo = 32, kFine = 8;
constexpr std::size_t kPagesAtOnce = 4096;
constexpr std::uint64_t kPinnedFrom = kPageSize / 2;  // free bytes on a page with live blocks
// glibc's malloc_trim: what it leaves at the start of a free chunk, and at the end of the top.
constexpr std::uint64_t kChunkStruct = 48, kTopKept = 33;

std::uint64_t down_to_page(std::uint64_t value) { return value & ~(kPageSize - 1); }
std::uint64_t up_to_page(std::uint64_t value) { return down_to_page(value + kPageSize - 1); }

bool is_listed(BlockState state) {
  return state == BlockState::kFree || state == BlockState::kThreadCache || state == BlockState::kFastbin;
}

}  // namespace

std::size_t size_class_of(std::uint64_t usable) {
  if (usable <= kFineUpTo) return (usable + kFine - 1) / kFine;
  std::size_t doubling = static_cast<std::size_t>(std::bit_width(usable - 1)) - 6;  // 33 to 64: 0
  std::uint64_t base = kFineUpTo << doubling;
  return kFineUpTo / kFine + 1 + doubling * kSteps + (usable - 1 - base) / (base / kSteps);
}

std::uint64_t largest_of_class(std::size_t index) {
  if (index <= kFineUpTo / kFine) return index * kFine;
  std::size_t above = index - kFineUpTo / kFine - 1;
  std::uint64_t base = kFineUpTo << (above / kSteps);
  return base + (above % kSteps + 1) * (base / kSteps);
}

Amount& Amount::operator+=(const Amount& other) {
  blocks += other.blocks, bytes += other.bytes, resident += other.resident;
  return *this;
}

Amount Inventory::live() const {
  Amount sum = by_state[static_cast<std::size_t>(BlockState::kLive)];
  return sum += by_state[static_cast<std::size_t>(BlockState::kMapped)];
}

Amount Inventory::free() const {
  Amount sum;
  for (BlockState state : {BlockState::kFree, BlockState::kThreadCache, BlockState::kFastbin, BlockState::kTop})
    sum += by_state[static_cast<std::size_t>(state)];
  return sum;
}

InventoryMaker::InventoryMaker(const PageStates& pages, const Heap& heap) : pages_(pages), heap_(heap) {
  inventory_.by_arena.resize(heap.arenas().size());
}

void InventoryMaker::add(std::span<const Block> blocks) {
  for (const Block& block : blocks) add(block);
}

void InventoryMaker::add(const Block& block) {
  std::uint64_t resident = resident_of(block.address, block.usable);
  auto state = static_cast<std::size_t>(block.state);
  inventory_.by_state[state].add(block.usable, resident);
  if (block.arena < inventory_.by_arena.size() && block.state != BlockState::kMapped)
    inventory_.by_arena[block.arena][state].add(block.usable, resident);
  inventory_.headers += block.header;
  if (is_live(block.state) || is_listed(block.state)) {
    std::size_t index = size_class_of(block.usable);
    if (index >= sizes_.size()) sizes_.resize(index + 1);
    (is_live(block.state) ? sizes_[index].live : sizes_[index].free).add(block.usable, resident);
  }
  add_to_page(block);
  add_to_free_run(block);
}

bool InventoryMaker::present(std::uint64_t page) {
  if (page - first_page_ >= states_.size()) load_pages(page);
  return states_[page - first_page_] == PageState::kPresent;
}

void InventoryMaker::load_pages(std::uint64_t page) {
  states_.resize(kPagesAtOnce);
  first_page_ = page;
  pages_.read(page * kPageSize, states_);
}

std::uint64_t InventoryMaker::resident_of(std::uint64_t start, std::uint64_t size) {
  std::uint64_t end = start + size, sum = 0;
  for (std::uint64_t at = start; at < end;) {
    std::uint64_t next = std::min(end, down_to_page(at) + kPageSize);
    if (present(at / kPageSize)) sum += next - at;
    at = next;
  }
  return sum;
}

void InventoryMaker::add_to_page(const Block& block) {
  std::uint64_t start = block.address - block.header, end = block.address + block.usable;
  std::uint64_t first = start / kPageSize, last = (end - 1) / kPageSize;
  for (std::uint64_t page : {first, last}) {
    if (page != page_) end_page(), page_ = page;
    std::uint64_t part = std::min(end, (page + 1) * kPageSize) - std::max(start, page * kPageSize);
    if (is_live(block.state)) {
      page_live_ += part;
      page_classes_.push_back(size_class_of(block.usable));
    } else if (is_listed(block.state)) {
      page_free_ += part;
    }
    if (first == last) return;
  }
}

void InventoryMaker::end_page() {
  if (!page_classes_.empty() && page_free_ >= kPinnedFrom && present(page_)) {
    inventory_.pinned_bytes += page_free_;
    std::size_t highest = *std::max_element(page_classes_.begin(), page_classes_.end());
    if (highest >= pins_.size()) pins_.resize(highest + 1);
    std::size_t before = SIZE_MAX;
    for (std::size_t index : page_classes_) {
      pins_[index].blocks++;
      pins_[index].pages += index != before;
      pins_[index].free_bytes += page_free_ / page_classes_.size();
      before = index;
    }
  }
  page_live_ = page_free_ = 0;
  page_classes_.clear();
}

void InventoryMaker::add_to_free_run(const Block& block) {
  std::uint64_t start = block.address - 16, end = block.address + block.usable - 8;  // of the chunk
  bool main_top = block.state == BlockState::kTop && heap_.arenas()[block.arena].main;
  bool merges = block.state == BlockState::kFree || block.state == BlockState::kFastbin;
  if (!heap_.has_trim()) return;
  if (!merges || start != free_run_.end) end_free_run();
  if (merges) {
    if (free_run_.start == free_run_.end) free_run_.start = start;
    free_run_.end = end;
  }
  if (main_top && end - start > kTopKept) {
    std::uint64_t given = down_to_page(end - start - kTopKept);
    inventory_.trimmable += resident_of(end - given, given);
  }
}

void InventoryMaker::end_free_run() {
  std::uint64_t from = up_to_page(free_run_.start + kChunkStruct), to = down_to_page(free_run_.end);
  if (free_run_.start < free_run_.end && from < to) inventory_.trimmable += resident_of(from, to - from);
  free_run_ = {};
}

Inventory InventoryMaker::finish() {
  end_page();
  end_free_run();
  for (std::size_t i = 0; i < sizes_.size(); ++i) {
    if (sizes_[i].live.blocks == 0 && sizes_[i].free.blocks == 0) continue;
    sizes_[i].from = i ? largest_of_class(i - 1) + 1 : 0;
    sizes_[i].to = largest_of_class(i);
    inventory_.sizes.push_back(sizes_[i]);
  }
  for (std::size_t i = 0; i < pins_.size(); ++i) {
    if (pins_[i].blocks == 0) continue;
    pins_[i].from = i ? largest_of_class(i - 1) + 1 : 0;
    pins_[i].to = largest_of_class(i);
    inventory_.pins.push_back(pins_[i]);
  }
  std::sort(inventory_.pins.begin(), inventory_.pins.end(),
            [](const Pin& a, const Pin& b) { return a.free_bytes > b.free_bytes; });
  return std::move(inventory_);
}

}  // namespace dwell::memory::heap
