// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/windows/kept_probes.h"

#include <algorithm>

namespace dwell::memory::windows {
namespace {

constexpr double kMostUnseen = 0.7;    // hits in as long as none was seen: as likely more as fewer
constexpr double kCreditWindows = 20;  // what is saved in so many windows may be lost once
constexpr double kMoreDoubt = 4;

}  // namespace

std::vector<std::uint16_t> KeptProbes::window_over(std::uint64_t length_ns, std::uint64_t interval_ns,
                                                   const std::map<std::uint16_t, std::uint64_t>& hits, double worth_ns, double hit_ns) {
  double worth_of_all = worth_ns * static_cast<double>(kept_.size());
  saved_ns_ = std::min(saved_ns_ + worth_of_all, kCreditWindows * worth_of_all);
  // A program that waited for a CPU all the while tells nothing.
  std::vector<std::uint16_t> fresh;
  if (std::ranges::all_of(hits, [](const auto& one) { return one.second == 0; })) return fresh;
  for (const auto& [probe, count] : hits) {
    if (kept_.contains(probe)) continue;
    std::uint64_t& quiet_ns = quiet_ns_[probe];
    quiet_ns = count ? 0 : quiet_ns + length_ns;
    double most_hits = quiet_ns ? doubt_ * kMostUnseen * static_cast<double>(interval_ns) / static_cast<double>(quiet_ns) : 0;
    if (!quiet_ns || most_hits * hit_ns > worth_ns) continue;
    fresh.push_back(probe);
    saved_ns_ += kCreditWindows * worth_ns;
  }
  kept_.insert(fresh.begin(), fresh.end());
  return fresh;
}

bool KeptProbes::worth(std::uint64_t hits, double hit_ns) {
  if (kept_.empty()) return true;
  saved_ns_ -= static_cast<double>(hits) * hit_ns;
  if (saved_ns_ >= 0) return true;
  doubt_ *= kMoreDoubt;
  clear();
  return false;
}

void KeptProbes::clear() {
  kept_.clear();
  quiet_ns_.clear();
  saved_ns_ = 0;
}

}  // namespace dwell::memory::windows
