// SPDX-License-Identifier: Apache-2.0
// The model of what dwell says about clocks: everything that its text and its JSON show, computed and in
// order.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "userspace/base/known_time.h"
#include "userspace/clocks/look.h"
#include "userspace/views/report_stack.h"

namespace dwell {

struct ClockReadSite {
  std::string call, clock;  // "clock_gettime", "CLOCK_REALTIME"
  std::vector<ReportFrame> stack;
  std::string incomplete;
  std::uint64_t counted = 0;  // reads; samples where `sampled`
  double per_second = 0, error = 0;
  double cpu_percent = 0;  // of the target's CPU time that is spent in the read, if samples tell
  bool sampled = false;    // seen only by samples of the vDSO
  bool wall = false, coarse = false;
};

struct ClockWaitSite {
  std::string call, clock, kind;  // kind: sleep, wait, timer
  bool absolute = false, wall = false;
  std::vector<ReportFrame> stack;
  std::string incomplete;
  std::uint64_t count = 0, timed_out = 0, spanned_step = 0;
  std::uint64_t asked_ns = 0, got_ns = 0, over_ns = 0;
  std::uint64_t max_over_ns = 0, max_over_asked_ns = 0;
  std::uint32_t max_over_tid = 0;
  std::string max_over_thread;  // its name, if it still lives
  TimeHistogram over{};
  std::uint64_t under_way = 0;          // waits that had not ended
  std::uint64_t under_way_over_ns = 0;  // how far the one that is longest overdue is past its deadline
};

struct ClockInterval {  // two reads of the wall clock by one call frame
  std::vector<ReportFrame> first, second;
  std::uint64_t count = 0, total_ns = 0, max_ns = 0, spanned_step = 0;
  std::int64_t spanned_by_ns = 0;
  TimeHistogram lengths{};
};

struct ClockStep {
  ClockStepKind kind = ClockStepKind::kStep;
  std::uint64_t time_ns = 0;  // since the look began
  std::int64_t size_ns = 0;
  std::string what;  // "clock_settime(CLOCK_REALTIME)", "frequency"
  std::uint32_t pid = 0, uid = 0;
  std::string command, container;  // "" and pid 0: from outside
  std::vector<ReportFrame> stack;
  std::int64_t result = 0;
};

struct ClockVerdict {
  enum class Kind { kInterval, kDeadline, kHot, kCoarse, kHitByStep, kOverslept };
  enum class Certainty { kSure, kLikely, kPossible };
  Kind kind;
  Certainty certainty;
  std::string text;      // what is wrong, with figures
  std::string evidence;  // what it rests on
  std::string advice;
  std::vector<ReportFrame> stack;
};

inline const char* name_of(ClockVerdict::Certainty certainty) {
  switch (certainty) {
    case ClockVerdict::Certainty::kSure:
      return "certain";
    case ClockVerdict::Certainty::kLikely:
      return "likely";
    case ClockVerdict::Certainty::kPossible:
      return "possible";
  }
  return "?";
}

struct ClocksReport {
  std::string program;
  std::uint32_t pid = 0;
  double seconds = 0;
  bool interrupted = false;          // by a signal, before the time was over
  std::vector<ClockReadSite> reads;  // most first
  std::vector<ClockWaitSite> waits;
  std::vector<ClockInterval> intervals;
  std::vector<ClockStep> steps;
  std::vector<ClockVerdict> verdicts;
  KernelClockState kernel;
  std::vector<std::string> notes;  // what can't be seen, and why

  double reads_per_second = 0, reads_error = 0;
  double watched_share = 0;  // of the time, in which reads were counted
  std::uint64_t windows = 0, probe_hits = 0;
  double trap_ns = 0;
  KnownTime bpf_ns = 0;      // not known: the percentage is without it
  std::optional<double> cost_percent;  // of the target's CPU time; none: it used none
  std::uint64_t own_cpu_ns = 0;
  std::uint64_t samples = 0, samples_in_vdso = 0;
  std::vector<std::pair<std::string, std::uint64_t>> losses;
};

}  // namespace dwell
