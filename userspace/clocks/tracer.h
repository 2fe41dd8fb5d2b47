// SPDX-License-Identifier: Apache-2.0
// ClockTracer: the BPF side of the clock tracer, loaded: its programs, and what they have counted so far.
// Probes are not attached here; that is ProbeLinks' work, a window at a time.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bpf/clocks.h"
#include "bpf/tracer.h"
#include "userspace/base/result.h"
#include "userspace/recording/ids.h"
#include "userspace/collect/trace_core.h"
#include "userspace/probes/attach.h"

namespace dwell {

struct ClockTracerSettings {
  AttachMethod method = AttachMethod::kMulti;
  std::uint64_t trap_ns = 600;  // what one read costs under a probe; 0: no thread is counted by itself
  std::uint64_t sample_period_ns = 4'000'037;  // of each CPU's clock, to see the vDSO; 0: none
};

const char* clock_loss_name(std::size_t kind);  // "reads"

class ClockTracer {
 public:
  static Result<ClockTracer> load(const TraceCore& core, const ClockTracerSettings& settings);
  ClockTracer(ClockTracer&&) noexcept;
  ~ClockTracer();

  ProbePrograms programs() const;

  // Where a target's vDSO is: without it there are no samples of it.
  Result<void> set_vdso(ProcessSlot slot, const dwell_vdso_range& vdso);
  // Timers that it made before.
  void set_timer_clock(pid_t pid, dwell_clock_call create, std::uint64_t id, std::uint32_t clock);
  // Begins to watch system calls and to sample.
  Result<void> attach();
  void detach();
  // Why there are no samples of the vDSO; "" if there are.
  const std::string& why_no_samples() const;

  // Reads count between these two.
  void open_window(std::uint64_t now_ns);
  void close_window();
  void set_realtime_offset(std::int64_t ns);
  void note_step(std::int64_t step_ns);  // one that no call of this machine made

  std::vector<dwell_hits> hits(std::size_t probes) const;  // by probe index, 0 .. probes-1
  std::vector<std::pair<dwell_read_key, std::uint64_t>> reads() const;
  // Only what no program adds to at the moment: a thread's own reads, while no window is open.
  void drop_reads(const dwell_read_key& key);
  std::vector<std::pair<dwell_wait_key, dwell_wait_stats>> waits() const;
  std::vector<std::pair<std::uint32_t, dwell_open_wait>> open_waits() const;
  std::vector<std::pair<dwell_pair_key, dwell_pair_stats>> pairs() const;
  dwell_sample_totals samples(ProcessSlot slot) const;
  std::uint64_t skipped_runs() const;
  std::vector<std::uint64_t> losses() const;  // by dwell_clock_loss
  RunTime run_time() const;

 private:
  struct Impl;
  explicit ClockTracer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace dwell
