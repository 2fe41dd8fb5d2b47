// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/reach/live_heap.h"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>

#include "userspace/memory/reach/roots.h"

namespace dwell::memory::reach {
namespace {

std::uint64_t size_of(const heap::Heap& one) {
  std::uint64_t sum = 0;
  for (const heap::Range& range : one.ranges()) sum += range.end - range.start;
  return sum;
}

}  // namespace

Result<std::unique_ptr<LiveHeap>> LiveHeap::read(const std::string& doing, heap::CarefulReader& reader,
                                                 RegisterReader& registers) {
  pid_t pid = reader.memory().pid();
  std::unique_ptr<LiveHeap> live(new LiveHeap(reader));
  heap::FoundHeaps found;
  for (int tries = 0; tries < heap::kTriesToFindHeaps; ++tries) {
    Result<std::vector<MappingUse>> uses = read_mapping_uses(pid);
    if (!uses) return uses.error();
    live->uses_ = std::move(*uses);
    live->mappings_.clear();
    for (const MappingUse& use : live->uses_) live->mappings_.push_back(use.mapping);
    found = heap::find_heaps(live->target_);
    if (found.unread.empty()) break;
  }
  if (!found.unread.empty() && found.none.empty())
    return Error{fmt::format("{}: the heap of {} could not be read: it kept changing, or is of a version that dwell does not know",
                             doing, found.unread), "", Exit::kUnsupported};
  if (found.heaps.empty()) return Error{fmt::format("{}: {}", doing, found.none), "", Exit::kUnsupported};
  live->allocator_ = found.heaps.back()->name();
  live->add_blocks(found);
  Result<std::vector<ThreadRegisters>> threads = registers.read();
  if (!threads) return threads.error();
  live->threads_ = std::move(*threads);
  live->find_stacks();
  return live;
}

// Where another allocator was put in glibc's place, glibc's own heap holds next to nothing: all of them are looked at, and the
// blocks of the smaller ones kept until those of the largest pass by.
void LiveHeap::add_blocks(heap::FoundHeaps& found) {
  std::uint64_t alignment = 16;
  std::vector<heap::Heap*> heaps;
  for (const auto& one : found.heaps) {
    heaps.push_back(one.get());
    alignment = std::min(alignment, one->alignment());
    ranges_.insert(ranges_.end(), one->ranges().begin(), one->ranges().end());
    std::ranges::copy(one->own_data(), std::back_inserter(own_data_));
  }
  std::ranges::sort(ranges_, {}, &heap::Range::start);
  std::ranges::sort(heaps, {}, [](const heap::Heap* one) { return size_of(*one); });
  index_.emplace(ranges_, alignment);
  std::vector<heap::Block> kept;
  std::size_t passed = 0;
  for (heap::Heap* one : heaps) {
    bool largest = one == heaps.back();
    if (largest) std::ranges::sort(kept, {}, &heap::Block::address);
    one->walk([&](std::span<const heap::Block> blocks) {
      for (const heap::Block& block : blocks) {
        if (block.state == heap::BlockState::kUnknown) unknown_.push_back({block.address, block.address + block.usable});
        if (!is_live(block.state)) continue;
        if (!largest) kept.push_back(block);
        while (largest && passed < kept.size() && kept[passed].address < block.address) add_block(kept[passed++]);
        if (largest) add_block(block);
      }
    });
  }
  while (passed < kept.size()) add_block(kept[passed++]);
  index_->finish();
}

void LiveHeap::add_block(const heap::Block& block) {
  index_->add(block);
  live_bytes_ += block.usable;
}

// What a thread on a CPU last told of its stack is old: all of it counts.
void LiveHeap::find_stacks() {
  stacks_ = find_thread_stacks(target_);
  for (ThreadStack& stack : stacks_) {
    stack.stack_pointer = 0;
    bool running = false;
    for (const ThreadRegisters& thread : threads_) {
      bool here = stack.range.contains(thread.stack_pointer);
      running |= thread.running && (here || thread.tid == stack.tid);
      if (!thread.running && here) stack.stack_pointer = thread.stack_pointer, stack.tid = thread.tid;
    }
    if (running) stack.stack_pointer = 0;
  }
}

std::vector<heap::Range> LiveHeap::root_ranges() const {
  std::vector<heap::Range> no_roots = ranges_;
  no_roots.insert(no_roots.end(), own_data_.begin(), own_data_.end());
  return reach::root_ranges(uses_, std::move(no_roots), stacks_, unknown_);
}

}  // namespace dwell::memory::reach
