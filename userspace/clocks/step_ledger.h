// SPDX-License-Identifier: Apache-2.0
// StepLedger: every move of the wall clock, once, with its author: what calls said they did, and what the
// clocks themselves show. What no call explains came from outside: the hypervisor, firmware, the kernel
// itself. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bpf/clocks.h"
#include "userspace/clocks/step_detector.h"

namespace dwell {

struct LedgerEntry {
  ClockMove::Kind kind = ClockMove::Kind::kStep;
  std::uint64_t time_ns = 0;  // CLOCK_MONOTONIC; the latest it can have been
  std::int64_t size_ns = 0;
  double rate_ppm = 0;
  std::optional<dwell_clock_set_record> author;
};

class StepLedger {
 public:
  // A call that set or steered a clock, in the order in which they ended.
  void called(const dwell_clock_set_record& record);
  // A sample; calls that ended before it have been told. Returns steps that no call explains.
  std::vector<std::int64_t> sampled(const ClockSample& sample, bool leap_due = false);

  const std::vector<LedgerEntry>& entries() const { return entries_; }

 private:
  StepDetector detector_;
  std::vector<LedgerEntry> entries_;
  std::vector<std::size_t> unconfirmed_;  // entries of calls since the last sample
  std::uint64_t slewed_ns_ = 0;           // when a call last steered the clock; 0: none did
};

// What a call did, in words: "clock_settime(CLOCK_REALTIME)", "adjtimex: frequency +12.500 ppm".
std::string describe_set(const dwell_clock_set_record& record);

}  // namespace dwell
