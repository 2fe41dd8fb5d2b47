// SPDX-License-Identifier: Apache-2.0
// StepDetector: from samples of the machine's clocks to what moved the wall clock. Pure: it reads no clock
// itself.
//
// NTP steers CLOCK_REALTIME and CLOCK_MONOTONIC alike, so what one has more than the other stays as it is
// until the wall clock is set. A slew shows in CLOCK_MONOTONIC against CLOCK_MONOTONIC_RAW, and a suspended
// machine in CLOCK_BOOTTIME.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace dwell {

inline constexpr double kFrequencyUnit = 65536;  // of timex.freq, in ppm

struct ClockSample {
  std::uint64_t monotonic_ns = 0, realtime_ns = 0, boottime_ns = 0, raw_ns = 0;
  std::uint64_t width_ns = 0;  // within which all of them were read
};

struct ClockMove {
  enum class Kind { kStep, kSlew, kLeap, kSuspend };
  Kind kind = Kind::kStep;
  std::uint64_t after_ns = 0, before_ns = 0;  // CLOCK_MONOTONIC: between these two it happened
  std::int64_t size_ns = 0;                   // of the wall clock, or of the suspension
  double rate_ppm = 0;                        // slew: how much faster than the hardware's clock it goes now
};

class StepDetector {
 public:
  // What happened since the sample before. `leap_due`: the kernel was about to insert or delete a second.
  std::vector<ClockMove> take(const ClockSample& sample, bool leap_due = false);

 private:
  void look_for_slew(const ClockSample& sample, std::vector<ClockMove>& moves);

  std::optional<ClockSample> last_;
  std::optional<ClockSample> slew_base_;  // since when the rate is measured
  struct Rate {
    double ppm, error;
  };
  std::optional<Rate> rate_;  // as it was told last, or known better since
};

}  // namespace dwell
