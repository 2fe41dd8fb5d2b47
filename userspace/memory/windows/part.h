// SPDX-License-Identifier: Apache-2.0
// What a recording holds of windows: what they met, in each stretch of time, and what of it was retained.
#pragma once

#include <cstdint>
#include <vector>

#include "userspace/memory/windows/own_time.h"
#include "userspace/recording/ids.h"

namespace dwell::memory::windows {

// What the windows of one process in one tick were, and the time that they stand for.
struct WindowsOfProcess {
  ProcessSlot process = 0;
  std::uint64_t windows = 0, cut = 0;  // cut: by the limit of hits; these count up to there
  std::uint64_t covered_ns = 0;        // by windows
  std::uint64_t stood_for_ns = 0;      // the intervals that they were samples of
  std::uint64_t lasted_ns = 0;         // on the level of windows
  double rates = 0, squared_rates = 0; // sums over windows of allocations a second
  OwnTime own;
  bool operator==(const WindowsOfProcess&) const = default;
};

// What windows met, each allocation counted as often as its window's interval is longer than the window.
struct WindowRow {
  std::uint32_t series = 0;
  double blocks = 0, bytes = 0;
  double blocks_variance = 0, bytes_variance = 0;
  bool operator==(const WindowRow&) const = default;
};

// Live blocks that exact recording gave up when it ended for their process.
struct GivenUpRow {
  std::uint32_t series = 0;
  std::uint64_t blocks = 0, bytes = 0;
  bool operator==(const GivenUpRow&) const = default;
};

struct WindowTick {
  std::uint64_t start_ns = 0, end_ns = 0;
  std::vector<WindowsOfProcess> processes;
  std::vector<WindowRow> rows;        // by series, ascending
  std::vector<GivenUpRow> given_up;
  bool operator==(const WindowTick&) const = default;
};

struct RetainedRow {
  std::uint32_t series = 0;
  double bytes = 0, low = 0, high = 0;  // low to high: 95 %
  double blocks = 0;
  bool identity = false;                // its blocks could be told apart; else only low to high means something
  bool anchored = false;                // walks of the heap told the sum of which it is a part: it has no share of the common error
  std::uint64_t oldest_ns = 0;          // birth; 0: not known
  bool operator==(const RetainedRow&) const = default;
};

// Growth that walks of the heap saw, and that no call site is known for.
struct UnnamedRow {
  ProcessSlot process = 0;
  std::uint64_t usable = 0;  // bytes of each of its blocks; 0: of other sizes
  double bytes = 0;
  bool operator==(const UnnamedRow&) const = default;
};

// At one moment; the last one counts.
struct RetainedSet {
  std::uint64_t time_ns = 0;
  std::vector<ProcessSlot> unknown;  // processes of which nothing tells whether blocks live
  std::vector<RetainedRow> rows;
  std::vector<UnnamedRow> unnamed;   // of processes whose heaps were walked; the largest first
  std::vector<ProcessSlot> walked;
  bool operator==(const RetainedSet&) const = default;
};

struct WindowPart {
  double percent = 0;  // the budget; 0: there was none
  std::vector<WindowTick> ticks;
  RetainedSet retained;
};

}  // namespace dwell::memory::windows
