// SPDX-License-Identifier: Apache-2.0
#include "userspace/clocks/step_detector.h"

#include <cmath>
#include <cstdlib>

namespace dwell {
namespace {

constexpr std::int64_t kSignedSecond = 1'000'000'000;
constexpr std::uint64_t kUselessWidth =
    2'000'000;  // we were interrupted in the middle: such a sample tells nothing
constexpr std::int64_t kLeastStep = 20'000;
constexpr std::int64_t kLeastSuspension = 1'000'000;
constexpr std::int64_t kLeapTolerance = 1'000'000;
constexpr std::int64_t kRateOver = 2'000'000'000;  // a rate is measured over so long, at least
constexpr double kLeastRateChange = 5;  // ppm: daemons that discipline a clock wander by less than that

std::int64_t difference(std::uint64_t a, std::uint64_t b) { return static_cast<std::int64_t>(a - b); }

bool is_second(std::int64_t size) { return std::abs(std::abs(size) - kSignedSecond) <= kLeapTolerance; }

}  // namespace

std::vector<ClockMove> StepDetector::take(const ClockSample& sample, bool leap_due) {
  std::vector<ClockMove> moves;
  if (sample.width_ns > kUselessWidth) return moves;
  if (!last_) {
    last_ = slew_base_ = sample;
    return moves;
  }
  std::int64_t tolerance = static_cast<std::int64_t>(last_->width_ns + sample.width_ns);
  std::int64_t step = difference(sample.realtime_ns, sample.monotonic_ns) -
                      difference(last_->realtime_ns, last_->monotonic_ns);
  std::int64_t suspended = difference(sample.boottime_ns, sample.monotonic_ns) -
                           difference(last_->boottime_ns, last_->monotonic_ns);
  if (suspended > kLeastSuspension + tolerance) {
    moves.push_back({ClockMove::Kind::kSuspend, last_->monotonic_ns, sample.monotonic_ns, suspended, 0});
    step -= suspended;  // the wall clock went on meanwhile
    slew_base_ = sample;
  }
  if (std::abs(step) > kLeastStep + tolerance) {
    ClockMove::Kind kind = leap_due && is_second(step) ? ClockMove::Kind::kLeap : ClockMove::Kind::kStep;
    moves.push_back({kind, last_->monotonic_ns, sample.monotonic_ns, step, 0});
  }
  look_for_slew(sample, moves);
  last_ = sample;
  return moves;
}

void StepDetector::look_for_slew(const ClockSample& sample, std::vector<ClockMove>& moves) {
  std::int64_t over = difference(sample.raw_ns, slew_base_->raw_ns);
  if (over < kRateOver) return;
  double gained = static_cast<double>(difference(sample.monotonic_ns, slew_base_->monotonic_ns) -
                                      difference(sample.raw_ns, slew_base_->raw_ns));
  double rate = 1e6 * gained / static_cast<double>(over);
  double error =
      1e6 * static_cast<double>(sample.width_ns + slew_base_->width_ns) / static_cast<double>(over);
  Rate measured{rate, error};
  if (rate_ && std::abs(rate - rate_->ppm) > kLeastRateChange + 2 * (error + rate_->error)) {
    moves.push_back({ClockMove::Kind::kSlew, slew_base_->monotonic_ns, sample.monotonic_ns, 0, rate});
    rate_ = measured;
  } else if (!rate_ || error < rate_->error) {
    rate_ = measured;
  }
  slew_base_ = sample;
}

}  // namespace dwell
