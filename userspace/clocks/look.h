// SPDX-License-Identifier: Apache-2.0
// What was seen of clocks over a time: figures by call site, not what they mean. Calls and clocks are numbers
// as bpf/clocks.h has them; names are the views'.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "userspace/recording/ids.h"

namespace dwell {

inline constexpr std::size_t kTimeBuckets = 44;
using TimeHistogram =
    std::array<std::uint64_t, kTimeBuckets>;  // bucket i: [2^i, 2^(i+1)) ns; the last: all above

struct ClockReadFacts {
  StackId stack = StackId::kUnknown;
  ProcessSlot process = 0;
  std::uint8_t call = 0, clock = 0;
  bool sampled = false;  // seen only by samples of the vDSO, which `counted` counts
  std::uint64_t counted = 0;
  double per_second = 0, error = 0;  // one standard error; 0: nothing was missed
  double cpu_percent = 0;            // of the target's CPU time, as far as samples tell
  bool operator==(const ClockReadFacts&) const = default;
};

struct ClockWaitFacts {
  StackId stack = StackId::kUnknown;
  ProcessSlot process = 0;
  std::uint8_t call = 0, clock = 0;
  bool absolute = false;
  std::uint64_t count = 0, timed_out = 0, spanned_step = 0;
  std::uint64_t asked_ns = 0, got_ns = 0, over_ns = 0;
  std::uint64_t max_over_ns = 0, max_over_asked_ns = 0;
  Tid max_over_tid = 0;
  std::string max_over_thread;  // its name, if it still lived
  std::uint64_t under_way = 0, under_way_over_ns = 0;
  TimeHistogram over{};
  bool operator==(const ClockWaitFacts&) const = default;
};

struct ClockIntervalFacts {  // two reads of the wall clock by one call frame
  StackId first = StackId::kUnknown, second = StackId::kUnknown;
  ProcessSlot process = 0;
  std::uint64_t count = 0, total_ns = 0, max_ns = 0, spanned_step = 0;
  std::int64_t spanned_by_ns = 0;
  TimeHistogram lengths{};
  bool operator==(const ClockIntervalFacts&) const = default;
};

enum class ClockStepKind : std::uint8_t { kStep = 0, kSlew, kSetting, kLeap, kSuspend, kKinds };

struct ClockStepFacts {
  ClockStepKind kind = ClockStepKind::kStep;
  std::uint64_t time_ns = 0;  // CLOCK_MONOTONIC
  std::int64_t size_ns = 0, result = 0;
  std::string what;                // "clock_settime(CLOCK_REALTIME)"
  std::uint32_t pid = 0, uid = 0;  // 0: nobody of this machine
  std::string command, container;
  StackId stack = StackId::kUnknown;
  bool operator==(const ClockStepFacts&) const = default;
};

struct KernelClockState {
  bool known = false;
  bool synchronised = false;
  std::int64_t offset_ns = 0;  // that is still being slewed away
  double frequency_ppm = 0;
  std::int64_t max_error_us = 0;
  std::int64_t tai_offset_s = 0;
  std::string leap;  // "" or what is to come
  std::string clocksource;
  bool operator==(const KernelClockState&) const = default;
};

struct ClockLook {
  std::uint64_t time_ns = 0, duration_ns = 0;  // CLOCK_MONOTONIC
  std::uint64_t watched_ns = 0, windows = 0;   // in which reads were counted
  std::uint64_t probe_hits = 0, trap_ns = 0;
  std::uint64_t bpf_ns = 0;  // or kTimeNotKnown
  std::uint64_t samples = 0, samples_in_vdso = 0;
  std::vector<ClockReadFacts> reads;
  std::vector<ClockWaitFacts> waits;
  std::vector<ClockIntervalFacts> intervals;
  std::vector<ClockStepFacts> steps;
  KernelClockState kernel;
  std::vector<std::string> notes;
  bool operator==(const ClockLook&) const = default;
};

}  // namespace dwell
