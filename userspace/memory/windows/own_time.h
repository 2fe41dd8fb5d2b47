// SPDX-License-Identifier: Apache-2.0
// OwnTime: how much of a program's own work windows saw: the CPU time of the threads that allocate, less what the probes took
// of that (thread_work.h). Pure.
#pragma once

#include <algorithm>
#include <cstdint>

namespace dwell::memory::windows {

struct OwnTime {
  std::uint64_t covered_ns = 0, lasted_ns = 0;   // of work: in windows, and in all
  std::uint64_t elapsed_ns = 0, passed_ns = 0;   // the times in which that was
  std::uint64_t cost_ns = 0;                     // of the probes, in windows
  bool operator==(const OwnTime&) const = default;

  void add(const OwnTime& other) {
    covered_ns += other.covered_ns;
    lasted_ns += other.lasted_ns;
    elapsed_ns += other.elapsed_ns;
    passed_ns += other.passed_ns;
    cost_ns += other.cost_ns;
  }

  // By how much more what windows met counts than their share of the time says.
  double factor() const {
    constexpr std::uint64_t kEnough = 2'000'000;
    if (covered_ns < kEnough || lasted_ns < covered_ns || elapsed_ns == 0 || passed_ns < elapsed_ns) return 1;
    double by_work = static_cast<double>(lasted_ns) / static_cast<double>(covered_ns);
    double by_time = static_cast<double>(passed_ns) / static_cast<double>(elapsed_ns);
    return std::clamp(by_work / by_time, 0.1, 20.0);
  }
  // The relative error of that, one standard deviation: the cost is known to a seventh.
  double error() const { return covered_ns ? static_cast<double>(cost_ns) / 7 / static_cast<double>(covered_ns) : 0; }
};

}  // namespace dwell::memory::windows
