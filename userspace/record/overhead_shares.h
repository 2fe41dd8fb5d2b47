// SPDX-License-Identifier: Apache-2.0
// OverheadShares: one budget for all that a recording costs the processes that it follows, shared by worth. Pure: costs and
// time are told.
//
// The part that is worth most (memory's, where it is recorded) has whatever the others do not use. Each other one has its
// part by worth for sure, and lends what the first does not use; when the first needs it, it has it again within a quarter
// of a second. What a part costs beyond its share, and what cannot be made cheaper (each call of a function that the user
// named), is taken from the first one's.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace dwell {

// Of the budget, by what a user gains from it.
inline constexpr double kMemoryWorth = 8, kOtherWorth = 3;

// Recording a program that hardly runs must be affordable, too (docs/budget.md):
inline constexpr double kIdleCpu = 0.1;         // it is taken to use so much of a CPU,
inline constexpr double kIdleKeptSeconds = 4;   // and may keep what that earns: what it does, it does at once.
inline constexpr double kKeptSeconds = 0.25;    // Others may keep so much of their income.

class OverheadShares {
 public:
  struct Part {
    std::string name;
    double worth = 1;
    bool fixed = false;             // it cannot be made cheaper
    double alone = 0;               // its share where there is no budget for all
    std::atomic<double> share = 0;  // of the targets' CPU time that it may use now: 0.02 for 2 %
    double used = 0;                // of late, likewise
    std::uint64_t cost_ns = 0;      // since the recording began, as told last
  };

  // `share`: of the targets' CPU time, for all parts; 0: there is no budget, and each has its own.
  explicit OverheadShares(double share) : share_(share) {}

  // Before the recording begins. The part outlives all that use it.
  std::shared_ptr<Part> join(std::string name, double worth, double alone);
  std::shared_ptr<Part> join_fixed(std::string name);

  double share() const { return share_; }

  static constexpr std::uint64_t kEveryNs = 250'000'000;
  // Each part's cost_ns is up to date; `target_cpu_ns` is what the targets have used since the recording began.
  void update(std::uint64_t now_ns, std::uint64_t target_cpu_ns);

 private:
  void share_out();

  double share_;
  std::vector<std::shared_ptr<Part>> parts_;
  std::vector<std::uint64_t> costs_ns_;  // at the last update
  std::uint64_t updated_ns_ = 0, cpu_ns_ = 0;
  bool known_ = false;  // what the parts use
};

}  // namespace dwell
