// SPDX-License-Identifier: Apache-2.0
// KeptProbes: which probes stay in place between windows. Pure: hits, prices and time are arguments.
//
// Of the functions that give out blocks a program calls one or two all the time and the others hardly ever. To place a probe and to
// take it away costs the process some interrupts (probes/toggle_price.h), each time; one that is never hit costs nothing where it is.
// So what windows do not meet stays, until its hits turn out to cost more than that saves.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <vector>

namespace dwell::memory::windows {

class KeptProbes {
 public:
  // A window of that length is over, in which each of these probes, which it had placed, was hit so often. `worth_ns`: what it costs
  // to place one of them, for each window; one comes in `interval_ns`. Answers which are to stay from now on.
  std::vector<std::uint16_t> window_over(std::uint64_t length_ns, std::uint64_t interval_ns, const std::map<std::uint16_t, std::uint64_t>& hits,
                                         double worth_ns, double hit_ns);

  // Those that stay were hit so often since the last time. False: they are not worth it, and none stays.
  bool worth(std::uint64_t hits, double hit_ns);

  bool contains(std::uint16_t probe) const { return kept_.contains(probe); }
  bool empty() const { return kept_.empty(); }
  void clear();  // they are gone for another reason

 private:
  std::map<std::uint16_t, std::uint64_t> quiet_ns_;  // how long windows that had placed it have not met it
  std::set<std::uint16_t> kept_;
  double saved_ns_ = 0;     // by those, less what their hits have cost
  double doubt_ = 1;        // grows with each disappointment
};

}  // namespace dwell::memory::windows
