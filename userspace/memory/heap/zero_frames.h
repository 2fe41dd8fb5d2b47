// SPDX-License-Identifier: Apache-2.0
// ZeroFrames: the kernel's pages of zeros. Anonymous memory that was only read shows them; they are nobody's memory, and RSS does not
// count them, though /proc/PID/pagemap calls them present.
#pragma once

#include <cstdint>

namespace dwell::memory::heap {

class ZeroFrames {
 public:
  // Learns them from pages of our own. Knows none without CAP_SYS_ADMIN: the kernel hides the numbers of frames then.
  static ZeroFrames learn();

  // `entry`: of a page that is present, as in /proc/PID/pagemap.
  bool shown_by(std::uint64_t entry) const {
    std::uint64_t frame = entry & kFrameBits;
    return frame != 0 && (frame == page_ || (huge_ != 0 && frame - huge_ < kPagesInHuge));
  }

 private:
  static constexpr std::uint64_t kFrameBits = (std::uint64_t{1} << 55) - 1, kPagesInHuge = 512;

  std::uint64_t page_ = 0, huge_ = 0;  // the first frame of the huge one
};

}  // namespace dwell::memory::heap
