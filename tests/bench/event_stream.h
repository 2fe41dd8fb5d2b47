// SPDX-License-Identifier: Apache-2.0
// A steady load, made up: a number of blocks stays live, most blocks die young, one event in ten is a realloc.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "userspace/memory/event.h"

namespace dwell {

class EventStream {
 public:
  EventStream(std::uint32_t live_blocks, std::uint32_t stacks, std::uint64_t seed = 1)
      : stacks_(stacks), random_(seed), slots_(live_blocks + live_blocks / 8 + 1024) {
    for (std::uint32_t slot = static_cast<std::uint32_t>(slots_.size()); slot-- > 0;) unused_.push_back(slot);
  }

  // Calls apply(event) for each event of `count` allocations; nothing is freed.
  template <typename Apply>
  void fill(std::uint32_t count, Apply&& apply) {
    for (std::uint32_t i = 0; i < count; ++i) allocate(apply);
  }

  // About `count` events, after which as many blocks are live as before.
  template <typename Apply>
  void run(std::uint64_t count, std::uint64_t ns_per_event, Apply&& apply) {
    for (std::uint64_t events = 0; events < count;) {
      std::uint64_t choice = random_() % 10;
      if (choice < 2) {
        reallocate(apply);
      } else {
        allocate(apply);
        release(choice < 9 ? young() : any(), apply);
      }
      events += 2;
      now_ns_ += 2 * ns_per_event;
    }
  }

  std::uint64_t now_ns() const { return now_ns_; }
  void set_now(std::uint64_t now_ns) { now_ns_ = now_ns; }

 private:
  static constexpr std::uint64_t kHeap = 0x5555'5555'0000, kSlotBytes = 96;
  std::uint64_t address(std::uint32_t slot) const { return kHeap + slot * kSlotBytes; }

  // A few stacks allocate most, as in real programs; each mostly asks for its own size.
  std::uint32_t pick_stack() {
    double uniform = static_cast<double>(random_() >> 11) * 0x1p-53;
    return 1 + static_cast<std::uint32_t>(uniform * uniform * uniform * stacks_);
  }
  std::uint64_t size_of(std::uint32_t stack) { return 16 + stack % 37 * 8 + (random_() % 8 == 0 ? random_() % 64 : 0); }

  template <typename Apply>
  void allocate(Apply&& apply) {
    std::uint32_t slot = unused_.back(), stack = pick_stack();
    unused_.pop_back();
    slots_[slot] = static_cast<std::uint32_t>(used_.size());
    used_.push_back(slot);
    apply(Alloc{now_ns_, address(slot), size_of(stack), StackId{stack}, 1000 + stack % 8, 0});
  }
  template <typename Apply>
  void release(std::uint32_t index, Apply&& apply) {
    std::uint32_t slot = used_[index];
    used_[index] = used_.back();
    slots_[used_[index]] = index;
    used_.pop_back();
    unused_.push_back(slot);
    apply(Free{now_ns_, address(slot), 1000, 0, false});
  }
  template <typename Apply>
  void reallocate(Apply&& apply) {
    std::uint32_t slot = used_[young()], stack = pick_stack();
    apply(ReallocBegin{now_ns_, address(slot), 1000, 0});
    apply(ReallocEnd{now_ns_, address(slot), address(slot), size_of(stack), StackId{stack}, 1000, 0});
  }
  std::uint32_t young() {
    std::uint64_t back = random_() % 64;
    return static_cast<std::uint32_t>(used_.size() - 1 - (back < used_.size() ? back : 0));
  }
  std::uint32_t any() { return static_cast<std::uint32_t>(random_() % used_.size()); }

  std::uint32_t stacks_;
  std::mt19937_64 random_;
  std::vector<std::uint32_t> slots_, used_, unused_;
  std::uint64_t now_ns_ = 1;
};

}  // namespace dwell
