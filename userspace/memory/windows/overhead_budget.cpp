// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/windows/overhead_budget.h"

#include <algorithm>
#include <cmath>

#include "userspace/record/overhead_shares.h"

namespace dwell::memory::windows {
namespace {

constexpr double kSecondNs = 1e9;
constexpr double kBusyCpu = 0.2;        // a process that uses so much is not idle
constexpr double kSmoothingNs = 0.5e9;  // of the CPU rate

}  // namespace

OverheadBudget::OverheadBudget(double share, std::uint64_t now_ns)
    : share_(share), idle_cpu_(kIdleCpu), updated_ns_(now_ns), left_ns_(share * kSecondNs * kKeptSeconds), income_ns_(share * kSecondNs * kIdleCpu) {}

void OverheadBudget::share_idle_time(std::size_t processes) {
  constexpr double kIdleProcesses = 4;
  idle_cpu_ = kIdleCpu * std::min(1.0, kIdleProcesses / static_cast<double>(std::max<std::size_t>(processes, 1)));
}

double OverheadBudget::most_kept_ns() const {
  double idle = std::max(0.0, 1 - cpu_rate_ / kBusyCpu);
  return std::max(kKeptSeconds * income_ns_, kIdleKeptSeconds * share_ * kSecondNs * idle_cpu_ * idle);
}

void OverheadBudget::update(std::uint64_t now_ns, std::uint64_t target_cpu_ns, double cost_ns) {
  if (now_ns <= updated_ns_) return;
  double passed = static_cast<double>(now_ns - updated_ns_);
  double used = static_cast<double>(target_cpu_ns - std::min(target_cpu_ns, cpu_ns_));
  double earned = share_ * std::max(used, idle_cpu_ * passed);
  double weight = -std::expm1(-passed / kSmoothingNs);
  cpu_rate_ += weight * (used / passed - cpu_rate_);
  income_ns_ = share_ * kSecondNs * std::max(cpu_rate_, idle_cpu_);
  left_ns_ = std::min(left_ns_ + earned, most_kept_ns());
  left_ns_ -= std::max(0.0, cost_ns - cost_ns_);
  updated_ns_ = now_ns;
  cpu_ns_ = std::max(cpu_ns_, target_cpu_ns);
  cost_ns_ = std::max(cost_ns_, cost_ns);
}

}  // namespace dwell::memory::windows
