// SPDX-License-Identifier: Apache-2.0
// TargetSlots: which process has which of the 255 numbers that records are marked with. One whose process has
// ended can be given again, the one that has been free for longest first.
#pragma once

#include <array>
#include <cstddef>
#include <deque>
#include <optional>

#include "userspace/collect/decoder.h"
#include "userspace/recording/ids.h"

namespace dwell {

class TargetSlots {
 public:
  TargetSlots() { owners_.fill(kNoProcess); }

  // What counts in the kernel by slot still means the process that had it first.
  void never_reuse() { reuse_ = false; }
  bool reuses() const { return reuse_; }

  // None: all are taken.
  std::optional<TargetSlot> take(ProcessSlot owner) {
    std::size_t slot = fresh_;
    if (fresh_ < owners_.size()) {
      ++fresh_;
    } else if (reuse_ && !free_.empty()) {
      slot = free_.front();
      free_.pop_front();
    } else {
      return std::nullopt;
    }
    owners_[slot] = owner;
    return static_cast<TargetSlot>(slot);
  }
  bool has_room() const { return fresh_ < owners_.size() || (reuse_ && !free_.empty()); }

  // Records that still come with this slot are of nobody who is recorded.
  void disown(TargetSlot slot) { owners_[slot] = kNoProcess; }
  // No record will come with it any more.
  void give_back(TargetSlot slot) {
    if (!reuse_) return;
    disown(slot);
    free_.push_back(slot);
  }
  ProcessSlot owner(TargetSlot slot) const { return slot < owners_.size() ? owners_[slot] : kNoProcess; }

 private:
  std::array<ProcessSlot, 255> owners_;  // all but DWELL_NO_SLOT
  std::size_t fresh_ = 0;                // never taken from here on
  std::deque<TargetSlot> free_;
  bool reuse_ = true;
};

}  // namespace dwell
