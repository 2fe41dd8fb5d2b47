// SPDX-License-Identifier: Apache-2.0
#include "userspace/record/guardrail.h"

#include "userspace/base/time_units.h"

namespace dwell {
namespace {

constexpr std::uint64_t kWindowNs = 5'000 * kMillisecond;
constexpr std::uint64_t kLeastCpuNs = 100 * kMillisecond;  // of a window: 2 % of one CPU

}  // namespace

std::optional<double> Guardrail::add(std::uint64_t now_ns, std::uint64_t cost_ns, std::uint64_t target_cpu_ns) {
  if (limit_percent_ <= 0) return std::nullopt;
  window_.push_back({now_ns, cost_ns, target_cpu_ns});
  // The first one is the last that is at least as old as the window is long.
  while (window_.size() > 1 && now_ns - window_[1].time_ns >= kWindowNs) window_.pop_front();
  const Sums& first = window_.front();
  if (now_ns - first.time_ns < kWindowNs) return std::nullopt;
  std::uint64_t cpu_ns = target_cpu_ns - first.target_cpu_ns;
  if (target_cpu_ns < first.target_cpu_ns || cost_ns < first.cost_ns || cpu_ns < kLeastCpuNs) return std::nullopt;
  double percent = 100.0 * static_cast<double>(cost_ns - first.cost_ns) / static_cast<double>(cpu_ns);
  if (percent <= limit_percent_) return std::nullopt;
  return percent;
}

}  // namespace dwell
