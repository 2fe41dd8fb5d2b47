// SPDX-License-Identifier: Apache-2.0
// IntervalMap: which of many nested ranges is the innermost around an address, answered by one binary search.
//
// Ranges are cut into pieces once:
//
//     main       [0x10 ............................ 0x80)
//       inlined          [0x20 ... 0x40)
//     pieces     [0x10)  [0x20 ... 0x40)[0x40 ..... 0x80)
//                 main     inlined        main
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace dwell {

class IntervalMap {
 public:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  // Among ranges that cover the same address, the one that starts last wins; of two that start together the
  // shorter; of two that are equal the one with the larger value. An inner range that sticks out of its outer one
  // is cut, and any range at 4 GB.
  void add(std::uint64_t start, std::uint64_t end, std::uint32_t value) {
    if (end <= start) return;
    ranges_.push_back({start, static_cast<std::uint32_t>(std::min(end - start, kLongest)), value});
  }

  void build() {
    std::sort(ranges_.begin(), ranges_.end(), [](const Piece& a, const Piece& b) { return a.key() < b.key(); });
    starts_.reserve(ranges_.size() * 2);
    values_.reserve(ranges_.size() * 2);
    std::vector<Open> open;
    for (const Piece& range : ranges_) {
      close_until(open, range.start);
      std::uint64_t end = range.length > ~range.start ? ~std::uint64_t{0} : range.start + range.length;
      if (!open.empty()) end = std::min(end, open.back().end);
      emit(range.start, range.value);
      open.push_back({end, range.value});
    }
    close_until(open, ~std::uint64_t{0});
    ranges_ = {};
  }

  std::uint32_t find(std::uint64_t address) const {
    auto next = std::upper_bound(starts_.begin(), starts_.end(), address);
    return next == starts_.begin() ? kNone : values_[next - starts_.begin() - 1];
  }
  std::size_t pending() const { return ranges_.size(); }  // before build()
  std::size_t size() const { return starts_.size(); }
  bool empty() const { return starts_.empty(); }

 private:
  static constexpr std::uint64_t kLongest = ~std::uint32_t{0};

  struct Piece {
    std::uint64_t start;
    std::uint32_t length, value;
    // By start, longer ones first, then by value.
    unsigned __int128 key() const {
      return static_cast<unsigned __int128>(start) << 64 | std::uint64_t{~length} << 32 | value;
    }
  };
  struct Open {
    std::uint64_t end;
    std::uint32_t value;
  };

  // Ends all open ranges that end at or before `address`; what lies around them goes on.
  void close_until(std::vector<Open>& open, std::uint64_t address) {
    while (!open.empty() && open.back().end <= address) {
      std::uint64_t end = open.back().end;
      open.pop_back();
      while (!open.empty() && open.back().end <= end) open.pop_back();
      emit(end, open.empty() ? kNone : open.back().value);
    }
  }
  void emit(std::uint64_t start, std::uint32_t value) {
    if (!starts_.empty() && starts_.back() == start) {
      values_.back() = value;
    } else {
      starts_.push_back(start);
      values_.push_back(value);
    }
  }

  std::vector<Piece> ranges_;  // until build()
  std::vector<std::uint64_t> starts_;
  std::vector<std::uint32_t> values_;
};

}  // namespace dwell
