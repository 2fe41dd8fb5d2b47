// SPDX-License-Identifier: Apache-2.0
// LevelPolicy: on which level the allocations of one process are followed, and how windows are laid. Pure: measurements and
// time are arguments.
//
//   exact     every allocation and free, as long as that fits the budget. The first level, bounded in the kernel: most
//             programs allocate so slowly that they never leave it, and nothing of them is missed.
//   windows   allocations alone, in short windows at random times. Their length and number follow from the rate that the
//             windows themselves measure.
//
// Up again it goes only when exact would cost half of the budget at most, and each time later than the time before.
#pragma once

#include <cstdint>
#include <deque>

namespace dwell::memory::windows {

enum class Level : std::uint8_t { kExact, kWindows };

struct WindowPlan {
  std::uint64_t length_ns = 500'000;
  std::uint64_t interval_ns = 100'000'000;  // one window in each, at a random place
  std::uint64_t hits = 100;                 // that one window is expected to have
  bool operator==(const WindowPlan&) const = default;
};

struct LevelPrices {  // nanoseconds of the target's CPU time
  double allocation = 1800;  // a probed call with its stack
  double free = 900;
  double window = 100'000;   // attaching and detaching once
};

class LevelPolicy {
 public:
  explicit LevelPolicy(std::uint64_t now_ns) : since_ns_(now_ns) {}

  Level level() const { return level_; }
  const WindowPlan& plan() const { return plan_; }
  std::uint64_t since_ns() const { return since_ns_; }  // of the level

  // At the exact level: more was spent than there is. From now on windows.
  void exceeded(std::uint64_t now_ns);

  // At the windows level: `allocations` calls in `covered_ns`.
  void saw_window(std::uint64_t now_ns, std::uint64_t covered_ns, std::uint64_t allocations);

  // After some windows. `income_ns`: what the process may cost a second. True if the level or the plan has changed.
  bool decide(std::uint64_t now_ns, double income_ns, const LevelPrices& prices);

  double rate() const;  // allocations a second, by the windows of the last seconds
  double peak() const;  // the same of the busiest of them

 private:
  struct Seen {
    std::uint64_t time_ns, covered_ns, allocations;
  };
  WindowPlan plan_for(double income_ns, const LevelPrices& prices) const;

  Level level_ = Level::kExact;
  WindowPlan plan_;
  std::uint64_t since_ns_;
  std::uint64_t decided_ns_ = 0;
  std::uint64_t patience_ns_ = 0;  // how long windows last at least
  std::deque<Seen> seen_;
};

}  // namespace dwell::memory::windows
