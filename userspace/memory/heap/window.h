// SPDX-License-Identifier: Apache-2.0
// Window: a part of another process's memory, read ahead, for who goes through it from low to high addresses.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>

#include "userspace/process/process_memory.h"

namespace dwell::memory::heap {

class Window {
 public:
  explicit Window(const ProcessMemory& memory) : memory_(memory), bytes_(kLargest) {}

  // What stands at `address`, up to `end` of which may be read. None: it can't be read.
  template <typename T>
  std::optional<T> at(std::uint64_t address, std::uint64_t end) {
    if (!holds(address, sizeof(T)) && !move_to(address, end, sizeof(T))) return std::nullopt;
    T value;
    std::memcpy(&value, bytes_.data() + (address - start_), sizeof value);
    return value;
  }
  // Forgets what was read: it may be old.
  void drop() { size_ = 0; }

 private:
  static constexpr std::size_t kLargest = 1 << 20, kSmallest = 4096;

  bool holds(std::uint64_t address, std::size_t size) const {
    return address >= start_ && address - start_ <= size_ && size_ - (address - start_) >= size;
  }
  bool move_to(std::uint64_t address, std::uint64_t end, std::size_t size);

  const ProcessMemory& memory_;
  std::vector<char> bytes_;
  std::uint64_t start_ = 0;
  std::size_t size_ = 0;
};

}  // namespace dwell::memory::heap
