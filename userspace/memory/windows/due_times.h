// SPDX-License-Identifier: Apache-2.0
// DueTimes: when windows begin: one in each interval, at a random place of it, drawn in advance and so independent of all that
// happens later. Pure.
#pragma once

#include <cstdint>
#include <random>

namespace dwell::memory::windows {

class DueTimes {
 public:
  DueTimes(std::uint64_t start_ns, std::uint64_t interval_ns, std::uint64_t seed)
      : interval_start_ns_(start_ns), interval_ns_(interval_ns), random_(seed) {
    draw();
  }

  std::uint64_t next_ns() const { return due_ns_; }
  void taken() { advance(); }

  // Of several that are late by now, all but the last were missed. Returns how many.
  std::uint64_t skip_missed(std::uint64_t now_ns) {
    std::uint64_t missed = 0;
    for (; interval_start_ns_ + 2 * interval_ns_ <= now_ns; ++missed) advance();
    return missed;
  }

 private:
  void advance() {
    interval_start_ns_ += interval_ns_;
    draw();
  }
  void draw() { due_ns_ = interval_start_ns_ + random_() % interval_ns_; }

  std::uint64_t interval_start_ns_, interval_ns_, due_ns_ = 0;
  std::mt19937_64 random_;
};

}  // namespace dwell::memory::windows
