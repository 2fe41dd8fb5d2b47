// SPDX-License-Identifier: Apache-2.0
// Input: the bytes that a fuzzer made up, taken apart as numbers. Where there are no more, all are 0.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace dwell::testing {

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}

  template <typename T>
  T take() {
    T value{};
    std::size_t size = std::min(sizeof value, left_);
    if (size) std::memcpy(&value, data_, size);
    skip(size);
    return value;
  }
  std::uint8_t byte() { return take<std::uint8_t>(); }
  std::string_view bytes(std::size_t size) {
    std::string_view taken(reinterpret_cast<const char*>(data_), std::min(size, left_));
    skip(taken.size());
    return taken;
  }
  std::string_view rest() { return bytes(left_); }
  std::size_t left() const { return left_; }

 private:
  void skip(std::size_t size) {
    if (size) data_ += size;
    left_ -= size;
  }
  const std::uint8_t* data_;
  std::size_t left_;
};

// Memory of a process that the fuzzer made up: it begins at `start`, and all else can't be read.
struct HostileMemory {
  std::uint64_t start = 0;
  std::string_view bytes;

  bool read(std::uint64_t address, void* to, std::size_t size) const { return read_some(address, to, size) == size; }
  std::size_t read_some(std::uint64_t address, void* to, std::size_t size) const {
    std::uint64_t offset = address - start;
    if (offset >= bytes.size()) return 0;
    size = std::min<std::size_t>(size, bytes.size() - offset);
    if (size) std::memcpy(to, bytes.data() + offset, size);
    return size;
  }
};

}  // namespace dwell::testing
