// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/heap/window.h"

#include <algorithm>

namespace dwell::memory::heap {

// Who jumps far reads little: a heap of large blocks is read at their headers only.
bool Window::move_to(std::uint64_t address, std::uint64_t end, std::size_t size) {
  bool adjoining = address >= start_ && address - start_ <= size_ + kSmallest;
  std::size_t length = adjoining || size_ == 0 ? kLargest : kSmallest;
  if (address >= end) return false;
  std::uint64_t page_end = (address + length) & ~std::uint64_t{kSmallest - 1};
  length = std::min(end, std::max(page_end, address + size)) - address;
  start_ = address;
  size_ = memory_.read_some(address, bytes_.data(), std::min(length, bytes_.size()));
  return size_ >= size;
}

}  // namespace dwell::memory::heap
