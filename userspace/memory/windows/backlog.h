// SPDX-License-Identifier: Apache-2.0
// Backlog: when things would have happened if probes took no time. Pure.
//
// A thread that always has something to do falls behind by what its probes cost. One that sleeps between its tasks catches up:
// each sleep takes away as much as it lasts. A window that ended by the clock would miss the ends of tasks that it slows down.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>

namespace dwell::memory::windows {

class Backlog {
 public:
  // `cost_ns`: what the probes of one allocation cost its thread.
  Backlog(std::uint64_t open_ns, double cost_ns) : open_ns_(open_ns), cost_ns_(cost_ns) {}

  // An allocation; those of a thread in order of time. `sleeps`: how often its thread has gone to sleep in its life. Returns
  // when it would have been, in nanoseconds since the opening; kBefore: before that.
  std::uint64_t add(std::uint32_t tid, std::uint64_t time_ns, std::uint32_t sleeps);
  static constexpr std::uint64_t kBefore = ~std::uint64_t{0};

  double behind_ns(std::uint32_t tid) const;  // as of its last allocation
  double most_behind_ns() const { return most_; }

 private:
  struct Thread {
    std::uint64_t last_ns = 0;
    std::uint32_t sleeps = 0;
    double behind_ns = 0;
  };
  std::uint64_t open_ns_;
  double cost_ns_, most_ = 0;
  absl::flat_hash_map<std::uint32_t, Thread> threads_;
};

}  // namespace dwell::memory::windows
