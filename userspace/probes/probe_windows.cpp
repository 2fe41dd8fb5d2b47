// SPDX-License-Identifier: Apache-2.0
#include "userspace/probes/probe_windows.h"

#include <algorithm>

#include "userspace/probes/toggle_price.h"

namespace dwell {
namespace {

constexpr std::uint64_t kLongestLookAway = 20'000'000;
constexpr std::uint64_t kWait = 5'000'000;

}  // namespace

ProbeWindows::Step ProbeWindows::next(std::uint64_t now_ns, double cost_ns, double target_ns) {
  cost_ns += toggles_ns_;
  left_ns_ = std::min(left_ns_ + settings_.share * (target_ns - target_ns_), most_kept_ns()) - (cost_ns - cost_ns_);
  cost_ns_ = cost_ns;
  target_ns_ = target_ns;
  if (settings_.share >= 1) return open_ ? Step::kStay : Step::kOpen;
  if (!open_) return windows_ == 0 || left_ns_ >= std::min(saved_ns_, most_kept_ns() / 4) ? Step::kOpen : Step::kStay;
  quiet_ns_ = now_ns - opened_ns_;
  if (quiet_ns_ < settings_.length_ns) return Step::kStay;
  return left_ns_ < 0 ? Step::kClose : Step::kStay;
}

void ProbeWindows::opened(std::uint64_t now_ns) {
  open_ = true;
  opened_ns_ = now_ns;
  quiet_ns_ = 0;
  toggles_ns_ += toggle_ns(settings_.places, busy_cpus(now_ns), settings_.flush_ns);
  ++windows_;
}

void ProbeWindows::closed(std::uint64_t now_ns) {
  open_ = false;
  closed_ns_ = now_ns;
  watched_ns_ += now_ns - opened_ns_;
  // The debt is paid back, and as much again as keeps the windows from a rhythm of their own.
  saved_ns_ = settings_.share * static_cast<double>(settings_.length_ns) * 10 * (jitter() - 0.5);
}

// Of the target, since the first window; one until that is known.
double ProbeWindows::busy_cpus(std::uint64_t now_ns) const {
  return now_ns > start_ns_ && target_ns_ > 0 ? target_ns_ / static_cast<double>(now_ns - start_ns_) : 1;
}

double ProbeWindows::jitter() {
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  return 0.5 + static_cast<double>(random_ >> 11) / 9007199254740992.0;
}

std::uint64_t ProbeWindows::ask_again_in_ns() const {
  if (!open_) return kWait;
  if (quiet_ns_ < settings_.length_ns) return settings_.length_ns - quiet_ns_;
  return std::clamp(quiet_ns_ / 2, settings_.length_ns, std::max(settings_.length_ns, kLongestLookAway));
}

}  // namespace dwell
