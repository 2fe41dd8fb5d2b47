// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/heap/mimalloc_lists.h"

#include <time.h>

#include <bit>

namespace dwell::memory::heap {
namespace {

constexpr int kListTries = 8;
constexpr long kPauseNs = 20'000;

// Where the first block of a page lies, by version: 2.0, 2.1. The one that leaves room for as many blocks as the record says.
constexpr std::uint64_t start_in_2_0(std::uint64_t size) { return size <= 1024 ? 384 : 0; }
constexpr std::uint64_t start_in_2_1(std::uint64_t size) { return size <= 64 ? 3 * size : size <= 512 ? size : 0; }

void pause() {
  timespec time{0, kPauseNs};
  ::nanosleep(&time, nullptr);
}

}  // namespace

std::uint64_t MimallocLists::start_of(const MimallocPage& page) const {
  if (layout_.tells_start) return page.start;
  std::uint64_t room = page.slices_end - page.slices_start;
  for (std::uint64_t start : {start_in_2_0(page.block_size), start_in_2_1(page.block_size)})
    if (start < room && (room - start) / page.block_size == page.reserved) return page.slices_start + start;
  return page.slices_start;
}

MimallocLists::State MimallocLists::read(std::uint64_t segment, const MimallocPage& page) {
  State state;
  state.page = page;
  for (int tries = 0; tries < kListTries; ++tries) {
    if (tries) pause(), ++state.retries;
    std::optional<MimallocPage> before = read_mimalloc_page(memory_, layout_, segment, page);
    if (!before || before->block_size == 0) {
      state.page.block_size = 0;
      state.settled = before.has_value();
      return state;
    }
    state.page = *before;
    std::uint64_t start = start_of(*before), size = std::uint64_t{before->capacity} * before->block_size;
    if (start < before->slices_start || start > before->slices_end || size > before->slices_end - start) continue;
    state.free.assign(before->capacity, false);
    std::uint32_t own = 0, others = 0;
    if (before->used == before->capacity && !before->thread_free) {
      state.settled = true;
      return state;
    }
    bytes_.resize(size);
    if (memory_.read_some(start, bytes_.data(), size) < size) continue;
    bool followed = follow(*before, before->free, start, state, own) && follow(*before, before->local_free, start, state, own) &&
                    follow(*before, before->thread_free, start, state, others);
    state.settled = followed && own == before->capacity - before->used && others <= before->used &&
                    read_mimalloc_page(memory_, layout_, segment, page) == before;
    if (state.settled) return state;
  }
  state.free.assign(state.page.capacity, false);
  return state;
}

// Decodes as _mi_block_next does.
std::uint64_t MimallocLists::next_of(const MimallocPage& page, std::uint64_t link) const {
  if (page.keys[0] == 0 && page.keys[1] == 0) return link;
  std::uint64_t next = std::rotr(link - page.keys[0], static_cast<int>(page.keys[0] % 64)) ^ page.keys[1];
  return next == page.record ? 0 : next;
}

bool MimallocLists::follow(const MimallocPage& page, std::uint64_t head, std::uint64_t start, State& state,
                           std::uint32_t& count) const {
  for (std::uint64_t at = head; at; ++count) {
    std::uint64_t offset = at - start;
    if (at < start || offset % page.block_size || offset / page.block_size >= page.capacity) return false;
    if (state.free[offset / page.block_size]) return false;  // a ring
    state.free[offset / page.block_size] = true;
    at = next_of(page, field_of<std::uint64_t>({bytes_.data(), bytes_.size()}, offset));
  }
  return true;
}

}  // namespace dwell::memory::heap
