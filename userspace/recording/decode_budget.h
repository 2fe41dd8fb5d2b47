// SPDX-License-Identifier: Apache-2.0
// DecodeBudget: what the tables of one recording may take of memory while it is read.
//
// A chunk may hold more in memory than in the file: a module without a name is 4 bytes there and more than 100 here.
// So each table is counted before it is made, for the recording that this thread is reading.
#pragma once

#include <cstddef>
#include <cstdint>

namespace dwell {

class DecodeBudget {
 public:
  // For as long as it lives, what this thread decodes is counted against `bytes`.
  explicit DecodeBudget(std::uint64_t bytes) : left_(bytes), outer_(current_) { current_ = this; }
  ~DecodeBudget() { current_ = outer_; }
  DecodeBudget(const DecodeBudget&) = delete;
  DecodeBudget& operator=(const DecodeBudget&) = delete;

  bool exceeded() const { return exceeded_; }

  // Room for `count` things of `size` bytes; false, from then on, when there is none. Without a budget: always.
  static bool take(std::uint64_t count, std::uint64_t size) {
    DecodeBudget* budget = current_;
    if (!budget) return true;
    if (budget->exceeded_ || count > budget->left_ / (size ? size : 1)) {
      budget->exceeded_ = true;
      return false;
    }
    budget->left_ -= count * size;
    return true;
  }

 private:
  std::uint64_t left_;
  bool exceeded_ = false;
  DecodeBudget* outer_;
  static inline thread_local DecodeBudget* current_ = nullptr;
};

// Some, and so many times what the file takes: honest recordings stay far below. At most `limit`.
inline std::uint64_t decode_budget(std::uint64_t file_bytes, std::uint64_t limit) {
  constexpr std::uint64_t kAllowance = std::uint64_t{256} << 20, kRatio = 256;
  std::uint64_t bytes = file_bytes > (~kAllowance) / kRatio ? ~std::uint64_t{0} : kAllowance + kRatio * file_bytes;
  return bytes < limit ? bytes : limit;
}

}  // namespace dwell
