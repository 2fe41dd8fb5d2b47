// SPDX-License-Identifier: Apache-2.0
// OwnTime: how much of a program's own work windows saw: the CPU time of the threads that allocate, less what the probes took
// of that (thread_work.h). Pure.
#pragma once

#include <algorithm>
#include <cmath>
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

  // By how much more what windows met counts than their share of the time says. Where the probes took most of the windows' CPU time,
  // little is known of that: then it counts the less, the less is known.
  double factor() const {
    if (lasted_ns == 0 || elapsed_ns == 0 || passed_ns < elapsed_ns) return 1;
    double by_work = static_cast<double>(lasted_ns) / own();
    double by_time = static_cast<double>(passed_ns) / static_cast<double>(elapsed_ns);
    return std::exp(trust() * std::log(std::clamp(by_work / by_time, 0.1, 20.0)));
  }
  // The relative error of that, one standard deviation.
  double error() const { return lasted_ns ? kUsual * std::sqrt(1 - trust()) : 0; }

 private:
  static constexpr double kLeastNs = 300'000;  // of so little, next to nothing is known
  static constexpr double kCostError = 1.0 / 7;  // the cost of a call is known to a seventh
  // How far the factor lies from 1 where nothing is known of it: windows find programs waiting, or catching up.
  static constexpr double kUsual = 0.7;
  double own() const { return static_cast<double>(std::max<std::uint64_t>(covered_ns, 1)); }
  double trust() const {
    double error = std::hypot(kCostError * static_cast<double>(cost_ns), kLeastNs) / own();
    return kUsual * kUsual / (kUsual * kUsual + error * error);
  }
};

}  // namespace dwell::memory::windows
