// SPDX-License-Identifier: Apache-2.0
// CostMeter: what the recording costs its target. Hits times the calibrated price of each trap, and the time
// that our BPF programs run, which is measured in windows and extended to all runs. Call update() several times in each
// window.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "bpf/tracer.h"
#include "userspace/base/known_time.h"
#include "userspace/probes/planner.h"

namespace dwell {

// What one run of a program takes: the median of slices of the time in which the kernel counted, by their runs. Preempted
// in the middle of a run, a program makes the slice dear in which that run ends, and no other.
class RunPrice {
 public:
  void add(std::uint64_t counted_runs, std::uint64_t counted_ns);  // sums so far
  KnownTime of(std::uint64_t runs) const;

 private:
  struct Slice {
    double ns_a_run;
    std::uint64_t runs;
  };
  static constexpr std::size_t kMostSlices = 512;  // then the oldest go
  std::vector<Slice> slices_;
  std::size_t next_ = 0;
  std::uint64_t runs_ = 0, ns_ = 0;
};

class CostMeter {
 public:
  explicit CostMeter(const TrapPrices& prices) : prices_(prices) {}

  // `exit`: what its return instructions are, if those are probed instead of its return.
  void set_probe(std::uint16_t probe, TrapClass trap, std::optional<TrapClass> exit = {});

  // `hits` are sums since the start, by probe; `runs` and `run_ns` what the kernel counted in windows so far.
  void update(std::span<const dwell_hits> hits, std::uint64_t counted_runs, std::uint64_t counted_ns);

  std::uint64_t probe_hits() const { return probe_hits_; }
  std::uint64_t trap_ns() const { return trap_ns_; }
  KnownTime bpf_ns() const { return bpf_ns_; }  // not known until the kernel has counted some runs

 private:
  TrapPrices prices_;
  struct Traps {
    TrapClass entry = TrapClass::kEmulated;
    std::optional<TrapClass> exit;
  };
  std::vector<Traps> traps_;
  std::uint64_t probe_hits_ = 0, trap_ns_ = 0;
  KnownTime bpf_ns_ = 0;
  RunPrice run_price_;
};

}  // namespace dwell
