// SPDX-License-Identifier: Apache-2.0
// ChunkedVector: a long array that grows without being copied, and takes no more than what is in it and one piece.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace dwell::memory::reach {

template <typename T>
class ChunkedVector {
 public:
  void push_back(const T& value) {
    if (size_ == pieces_.size() << kShift) pieces_.push_back(std::make_unique<T[]>(std::size_t{1} << kShift));
    ++size_;
    back() = value;
  }
  T& operator[](std::size_t i) { return pieces_[i >> kShift][i & kMask]; }
  const T& operator[](std::size_t i) const { return pieces_[i >> kShift][i & kMask]; }
  T& back() { return (*this)[size_ - 1]; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  static constexpr unsigned kShift = 14;
  static constexpr std::size_t kMask = (std::size_t{1} << kShift) - 1;
  std::vector<std::unique_ptr<T[]>> pieces_;
  std::size_t size_ = 0;
};

}  // namespace dwell::memory::reach
