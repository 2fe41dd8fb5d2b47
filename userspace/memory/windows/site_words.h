// SPDX-License-Identifier: Apache-2.0
// SiteWords: which of the first words of a call site's blocks identify a block, learned from the blocks themselves.
//
//   unique    its values differ from block to block, also from one block to the next in the same place, and it was not seen
//             to change while the block stayed: unchanged, it proves that the block lives
//   mutable   it changed inside a window in which the address was not given out again: a counter, a time stamp
//   late      the program writes it some time after it got the block: it counts from 8 ms after the window on
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "userspace/memory/windows/look.h"

namespace dwell::memory::windows {

class SiteWords {
 public:
  // Of a block, when its own window closes.
  void closed(const Words& words);
  // Of a block in its own window, between two looks during which its address was not given out again.
  void saw_in_own_window(const Words& middle, const Words& close);
  // 8 ms after its window closed.
  void settled(const Words& close, const Words& now);
  // In a later window: at the last look before it, at its opening and at its close; not given out in between.
  void saw_in_later_window(const Words& last, const Words& open, const Words& close);

  // Of a block that is known to be dead, and of the one that has its place now. Where slots are given out in the same order again
  // and again, pointers between blocks have the same values again.
  void saw_reuse(const Words& dead, const Words& now);

  bool is_mutable(std::size_t word) const;
  bool is_unique(std::size_t word) const;
  // What almost all blocks have there when their window closes; none: that differs, or was seen to change.
  std::optional<std::uint64_t> constant(std::size_t word) const;
  // It was seen to change in the blocks' own windows.
  bool is_late(std::size_t word) const;
  // It changes within 8 ms in more blocks than can have died by then; or else these blocks live that long, and no longer. `late_death`:
  // deaths a nanosecond in the second half of their own window.
  bool may_be_late(std::size_t word, double late_death) const;

 private:
  struct Word {
    std::uint32_t in_own = 0, by_settling = 0;    // changes
    std::uint32_t known = 0, other = 0;           // changes in later windows, from the value of the last look or another
    std::uint32_t again = 0;                      // as before, in another block
    std::vector<std::uint64_t> values, closing;   // some, as settled, and as the window closed
  };
  std::array<Word, kWords> words_;
  std::uint32_t own_ = 0, closed_ = 0, settled_ = 0, later_ = 0, reused_ = 0;  // pairs of looks
};

}  // namespace dwell::memory::windows
