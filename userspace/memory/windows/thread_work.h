// SPDX-License-Identifier: Apache-2.0
// ThreadWork: how much of a program's own work windows see: the CPU time of the threads that allocate, less what the probes
// took of it. A window that slows its threads down, or finds them waiting for a CPU, sees less of the work than its length
// says; one that finds the rest of a task that was slowed down sees more. Pure.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <span>

#include "userspace/memory/windows/backlog.h"
#include "userspace/memory/windows/own_time.h"

namespace dwell::memory::windows {

struct ThreadTime {
  std::uint32_t tid;
  std::uint64_t cpu_ns;  // in its life
};

class ThreadWork {
 public:
  // Windows begin, or begin again: what threads did up to the next opening counts nowhere.
  void begin() { begun_ = false; }
  // CPU times at the opening of a window and at the end of its counted time.
  void opened(std::uint64_t now_ns, std::span<const ThreadTime> threads);
  void ended(std::uint64_t now_ns, std::span<const ThreadTime> threads);
  // An allocation of the thread while the probes were on, and what they cost it. `inside`: from opened() to ended().
  void allocated(std::uint32_t tid, double cost_ns, bool inside);
  // The window counts: `length_ns` of it, of each thread from the opening on, had probes taken no time.
  void count(std::uint64_t length_ns, const Backlog& backlog);

  // Of the threads that allocated in windows.
  OwnTime sum() const;

 private:
  struct Thread {
    std::uint64_t seen_ns = 0;                      // CPU time at the last reading
    std::uint64_t lasted_ns = 0;                    // CPU time in all, of that
    double cost_ns = 0;                             // the probes'
    double covered_ns = 0;                          // its own, in counted times
    double window_ns = 0, window_cost_ns = 0;       // its own and the probes', in the window that has ended
    bool allocates = false;
    bool here = false;                              // in the last reading
    void add(const Thread& other);
  };
  void add(std::uint64_t now_ns, std::span<const ThreadTime> threads, bool window);

  absl::flat_hash_map<std::uint32_t, Thread> threads_;
  Thread gone_;  // sums over those that allocated and have ended
  double cost_ns_ = 0;
  std::uint64_t last_ns_ = 0, window_ns_ = 0, elapsed_ns_ = 0, passed_ns_ = 0;
  bool begun_ = false;
};

}  // namespace dwell::memory::windows
