// SPDX-License-Identifier: Apache-2.0
#include "userspace/recording/schedule.h"

#include <algorithm>

namespace dwell {

namespace {

constexpr double kSecondNs = 1e9;
constexpr double kMinute = 60 * kSecondNs;
constexpr double kBudgetBytes = 3e6;             // for the ticks of the first minute
constexpr double kLongestTick = 1800 * kSecondNs;
constexpr std::uint64_t kBytesPerLiveBlock = 8;  // in the file, measured
constexpr std::uint64_t kMostLiveBlocks = 1 << 18;  // sorted and written in about 0.1 s

// {up to this age in seconds, a tick lasts so many seconds}
constexpr struct { double age, length; } kLadder[] = {{60, 1}, {180, 2}, {600, 5}, {1800, 10}, {7200, 30}};

double length_at(double age_ns) {
  for (const auto& step : kLadder)
    if (age_ns < step.age * kSecondNs) return step.length * kSecondNs;
  return 60 * kSecondNs;
}

}  // namespace

void TickSchedule::ticked(std::uint64_t now_ns, std::uint64_t bytes) {
  double age = now_ns > start_ns_ ? static_cast<double>(now_ns - start_ns_) : 0;
  double bytes_per_ns = kBudgetBytes / std::max(age, kMinute);
  double affordable = static_cast<double>(bytes) / bytes_per_ns;
  double by_age = length_at(age);
  if (longest_ns_) by_age = std::min(by_age, static_cast<double>(*longest_ns_));
  double length = std::min(std::max(by_age, affordable), kLongestTick);
  tick_due_ns_ = now_ns + static_cast<std::uint64_t>(length);
}

bool TickSchedule::checkpoint_due(std::uint64_t now_ns, std::uint64_t live_blocks, std::uint64_t file_bytes) const {
  if (now_ns < start_ns_ + checkpoint_age_ns_ || live_blocks > kMostLiveBlocks) return false;
  return live_blocks * kBytesPerLiveBlock <= file_bytes / 2;
}

void TickSchedule::checkpointed(std::uint64_t now_ns) {
  checkpoint_age_ns_ = 2 * std::max(checkpoint_age_ns_, now_ns > start_ns_ ? now_ns - start_ns_ : 0);
}

}  // namespace dwell
