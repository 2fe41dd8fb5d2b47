// SPDX-License-Identifier: Apache-2.0
// HitPrices: what a hit costs the target, as it turns out: traps by their calibrated prices, and the run time of the BPF
// programs as the kernel counts it now and then; and the sum of what windows cost besides. Thread safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>

#include "userspace/memory/tracer.h"
#include "userspace/probes/planner.h"
#include "userspace/record/cost.h"

namespace dwell::memory::windows {

class HitPrices {
 public:
  HitPrices(const MemoryTracer& tracer, const TrapPrices& prices, bool returns_refused)
      : tracer_(tracer), prices_(prices), returns_refused_(returns_refused), meter_(prices) {}

  void set_probe(std::uint16_t probe, TrapClass trap, std::optional<TrapClass> exit);
  // Reads the counters, if that is due. Hits since the last time are priced as they came.
  void update(std::uint64_t now_ns);
  double per_hit() const;         // ns, of late
  double allocation() const;      // expected of a call of malloc with its return, at a cheap place
  double free() const;
  double uneven() const { return prices_.uneven_ns; }

  // Runs of our programs whose time windows have measured: where there are so few, the kernel's counting meets hardly any.
  void add_runs(RunTime runs) { std::lock_guard lock(mutex_); in_windows_.runs += runs.runs, in_windows_.ns += runs.ns; }
  RunTime run_time() const;  // of those, and of those that the kernel has counted

  // What placing probes for windows has cost all processes.
  void add_toggles(double ns) { toggles_ns_ += static_cast<std::uint64_t>(ns); }
  std::uint64_t toggles_ns() const { return toggles_ns_; }

 private:
  RunTime all_runs() const;

  const MemoryTracer& tracer_;
  TrapPrices prices_;
  bool returns_refused_;
  mutable std::mutex mutex_;
  CostMeter meter_;
  RunTime in_windows_;
  std::atomic<std::uint64_t> toggles_ns_ = 0;
  std::size_t probes_ = 0;
  std::uint64_t updated_ns_ = 0, hits_ = 0;
  double cost_ns_ = 0, per_hit_ = 0, program_ns_ = 600;
};

}  // namespace dwell::memory::windows
