// SPDX-License-Identifier: Apache-2.0
#include "userspace/clocks/state.h"

#include <sys/timex.h>
#include <time.h>

#include "userspace/base/clock.h"
#include "userspace/base/files.h"

namespace dwell {
namespace {

constexpr int kReadings = 3;

}  // namespace

ClockSample sample_clocks() {
  ClockSample best;
  best.width_ns = ~std::uint64_t{0};
  for (int i = 0; i < kReadings; ++i) {
    ClockSample sample;
    std::uint64_t before_ns = clock_ns(CLOCK_MONOTONIC);
    sample.realtime_ns = clock_ns(CLOCK_REALTIME);
    sample.raw_ns = clock_ns(CLOCK_MONOTONIC_RAW);
    sample.boottime_ns = clock_ns(CLOCK_BOOTTIME);
    std::uint64_t after_ns = clock_ns(CLOCK_MONOTONIC);
    sample.width_ns = after_ns - before_ns;
    sample.monotonic_ns = before_ns + sample.width_ns / 2;
    if (sample.width_ns < best.width_ns) best = sample;
  }
  return best;
}

KernelClockState kernel_clock_state() {
  KernelClockState state;
  timex now{};
  int leap = ::adjtimex(&now);
  if (leap < 0) return state;
  state.known = true;
  state.synchronised = !(now.status & STA_UNSYNC);
  state.offset_ns = now.status & STA_NANO ? now.offset : now.offset * 1000;
  state.frequency_ppm = static_cast<double>(now.freq) / kFrequencyUnit;
  state.max_error_us = now.maxerror;
  state.tai_offset_s = now.tai;
  if (leap == TIME_INS) state.leap = "a leap second will be inserted at the end of the day";
  if (leap == TIME_DEL) state.leap = "a leap second will be deleted at the end of the day";
  if (leap == TIME_OOP) state.leap = "a leap second is in progress";
  Result<std::string> source = read_file("/sys/devices/system/clocksource/clocksource0/current_clocksource");
  if (source) state.clocksource = source->substr(0, source->find('\n'));
  return state;
}

bool leap_second_due() {
  timex now{};
  int leap = ::adjtimex(&now);
  return leap == TIME_INS || leap == TIME_DEL || leap == TIME_OOP || leap == TIME_WAIT;
}

}  // namespace dwell
