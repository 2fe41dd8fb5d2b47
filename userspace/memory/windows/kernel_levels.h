// SPDX-License-Identifier: Apache-2.0
// KernelLevels: the levels, limits and the window's log that the BPF programs share with us (bpf/alloc_windows.h). Borrowed
// memory of the loaded object.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "bpf/alloc_windows.h"

namespace dwell::memory::windows {

class KernelLevels {
 public:
  KernelLevels() = default;
  KernelLevels(dwell_level_state* levels, __u64* number, __u64* events, std::span<const dwell_window_block> log)
      : levels_(levels), number_(number), events_(events), log_(log) {}

  std::uint64_t hits(std::uint8_t slot) const { return load(levels_[slot].hits); }
  std::uint64_t cut_ns(std::uint8_t slot) const { return load(levels_[slot].cut_ns); }
  void set_level(std::uint8_t slot, dwell_level level) { store(levels_[slot].level, level); }
  void set_limit(std::uint8_t slot, std::uint64_t hits) { store(levels_[slot].limit, hits); }

  // From now on everything is seen, up to so many hits in all.
  void begin_exact(std::uint8_t slot, std::uint64_t limit) {
    set_limit(slot, limit);
    set_level(slot, DWELL_LEVEL_EXACT);
    store(levels_[slot].cut_ns, 0);
  }
  // A new window, with an empty log: may have so many hits more.
  void begin_window(std::uint8_t slot, std::uint64_t hits_more) {
    store(levels_[slot].cut_ns, 0);
    store(levels_[slot].limit, hits(slot) + hits_more);
    store(*number_, load(*number_) + 1);
    store(*events_, 0);
    set_level(slot, DWELL_LEVEL_WINDOW);
  }
  // Of the log, what is written from `from` on; `from` becomes where to go on. An event whose writer is not done yet holds
  // up those behind it, until `to_the_end`.
  template <typename Take>
  void read_log(std::uint64_t& from, bool to_the_end, Take take) const {
    std::uint64_t end = std::min<std::uint64_t>(load(*events_), log_.size());
    for (; from < end; ++from) {
      bool written = load(log_[from].window) == static_cast<std::uint32_t>(load(*number_));
      if (written)
        take(log_[from]);
      else if (!to_the_end)
        return;
    }
  }
  std::uint64_t dropped() const { return load(*events_) - std::min<std::uint64_t>(load(*events_), log_.size()); }

 private:
  template <typename T>
  static std::uint64_t load(const T& value) {
    return static_cast<std::uint64_t>(__atomic_load_n(&value, __ATOMIC_ACQUIRE));
  }
  template <typename T>
  static void store(T& to, std::uint64_t value) {
    __atomic_store_n(&to, static_cast<T>(value), __ATOMIC_RELEASE);
  }

  dwell_level_state* levels_ = nullptr;
  __u64 *number_ = nullptr, *events_ = nullptr;
  std::span<const dwell_window_block> log_;
};

}  // namespace dwell::memory::windows
