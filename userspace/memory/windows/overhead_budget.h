// SPDX-License-Identifier: Apache-2.0
// OverheadBudget: what the probes of one process may cost now, in nanoseconds of its CPU time. Pure: it is told sums, and
// reads no clock.
//
// The process earns `share` of the CPU time that it uses. What it does not spend it may keep for a quarter of a second, so
// that over any second the cost stays below the budget and a quarter.
#pragma once

#include <cstddef>
#include <cstdint>

namespace dwell::memory::windows {

class OverheadBudget {
 public:
  // `share`: 0.02 for 2 %.
  OverheadBudget(double share, std::uint64_t now_ns);

  // From now on.
  void set_share(double share) { share_ = share; }

  // With how many processes the allowance for idle ones is shared, this one included: it is that of four at most.
  void share_idle_time(std::size_t processes);

  // Sums since the recording of the process began: the CPU time it has used, our part included, and what we cost.
  void update(std::uint64_t now_ns, std::uint64_t target_cpu_ns, double cost_ns);

  double share() const { return share_; }
  double left_ns() const { return left_ns_; }  // negative: more was spent than there was
  // What it earns, ns a second, by the CPU time of the last second or so.
  double income_ns() const { return income_ns_; }
  double busy_cpus() const { return cpu_rate_; }  // of late

 private:
  double most_kept_ns() const;

  double share_, idle_cpu_;
  std::uint64_t updated_ns_, cpu_ns_ = 0;
  double cost_ns_ = 0;
  double cpu_rate_ = 0;  // CPU seconds a second
  double left_ns_, income_ns_;
};

}  // namespace dwell::memory::windows
