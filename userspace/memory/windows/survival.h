// SPDX-License-Identifier: Apache-2.0
// Survival of the blocks of one call site, where their contents do not tell: how likely a sampled block still lives although
// its slot looks live, as another block may have taken it. Two models: what a block's slot shows inside windows is exact.
//
//   hazard   deaths by age. Right where all blocks of the site have the same fate (caches, sessions); too low where a few
//            are kept
//   cure     slots that look live and die in windows as often as slots that are known to be reused hold nothing that
//            lives. Right for mixed fates; too high where a death leaves the slot to another use
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace dwell::memory::windows {

struct Rate {
  double deaths = 0, ns = 0;
  double per_ns() const { return ns > 0 ? deaths / ns : 0; }
};

class Survival {
 public:
  // Of a block in its own window: how long it was seen, of that in ages below half of the window's length, and whether it
  // died.
  void saw_in_own_window(std::uint64_t age_ns, std::uint64_t window_ns, bool died);
  // Of a block that looked live when a later window opened.
  void saw_in_later_window(std::uint64_t run_ns, std::uint64_t age_ns, std::uint64_t length_ns, bool died);
  // Of a slot whose first block is known to be dead, and that held another one when a window opened.
  void saw_renewed(std::uint64_t length_ns, bool died);
  // A block was watched for so long; `detected`: until it was found dead.
  void watched(std::uint64_t ns, bool detected);

  double late_death() const { return late_.per_ns(); }

  // The chance to live at `age_ns` of a block that lived at `from_ns` of age.
  double hazard(std::uint64_t from_ns, std::uint64_t age_ns) const;
  double old_deaths() const;  // at ages above 0.1 s
  double old_ns() const;

  struct Cure {
    double reused = 0;     // of the slots that look live, those that hold another block: 0 to 1
    double low = 0, high = 0;
    double death = 0;      // of reused slots, a nanosecond, less what would have been detected
    double lives(double share, std::uint64_t age_ns) const;
  };
  // `covered`: the share of time that windows cover. `run_ns`: how long it has lasted.
  Cure cure(std::uint64_t run_ns, double covered) const;

 private:
  static constexpr std::array<double, 5> kEdges = {0.1e9, 0.5e9, 2e9, 8e9, 30e9};
  static std::size_t band_of(std::uint64_t age_ns);
  double cumulated(double age_ns) const;  // hazard from age 0

  Rate early_, late_, renewed_, watched_;
  double half_ns_ = 0;  // mean half length of the windows
  double windows_ = 0;
  std::array<Rate, kEdges.size() + 1> bands_;
  std::vector<Rate> by_second_;  // ages above 0.1 s
};

}  // namespace dwell::memory::windows
