// SPDX-License-Identifier: Apache-2.0
// TraceCore: what all tracers of a recording share on the kernel's side: the ring buffer that they send into,
// the processes that are traced and what becomes of them, the unwinder's tables, and the count of what was
// lost.
//
//   Result<TraceCore> core = TraceCore::load({ring_bytes, unwind_sizes});
//   ::alloc* skeleton = alloc__open();
//   core->adopt(skeleton->obj);  // the maps of the same names are the core's from now on
//   alloc__load(skeleton);
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "bpf/tracer.h"
#include "userspace/base/known_time.h"
#include "userspace/base/result.h"
#include "userspace/recording/ids.h"
#include "userspace/kernel/load_error.h"
#include "userspace/unwind/table_memory.h"

struct bpf_object;

namespace dwell {

struct TraceCoreSettings {
  std::uint64_t ring_bytes = 64ull << 20;  // rounded up to a power of two
  UnwindMapSizes unwind_sizes;
};

struct LossSum {
  std::uint64_t count = 0;                  // since load
  std::uint64_t first_ns = 0, last_ns = 0;  // of those since losses_taken(); means something only if there are any
};

class TraceCore {
 public:
  static Result<TraceCore> load(const TraceCoreSettings& settings);
  TraceCore(TraceCore&&) noexcept;
  ~TraceCore();

  // For a tracer's object, between open and load: its maps of the same names are the core's, and its programs
  // speak of processes by the same ids.
  Result<void> adopt(bpf_object* object) const;
  std::uint64_t ring_bytes() const;
  UnwindMapFds unwind_maps() const;

  // From now on the process's events are sent, marked with the slot, until it ends.
  Result<void> add_target(pid_t pid, TargetSlot slot);

  // It has ended without the kernel's side having been told to follow it in time: its number may be given again.
  bool remove_target(pid_t pid);  // false: its end has been sent already

  using RecordHandler = std::function<void(const void* data, std::size_t size)>;
  void set_handler(RecordHandler record);
  // Hands the handler what waits in the ring, up to 100,000 records; returns how many. Never blocks.
  Result<std::size_t> consume();
  int ring_fd() const;  // readable when much waits; little waits for the next poll

  // Walks that end for want of a table may send the rest of their stack again: there is new code.
  void allow_rests();

  std::vector<LossSum> losses() const;  // by dwell_loss
  void losses_taken();                  // from now on first_ns is that of the first loss to come

  // Of our own programs; see below.
  std::uint64_t skipped_runs() const;

  // Counts how long BPF programs run: about 20 ns a run dearer, so only for a while.
  Result<void> count_run_time(bool on);

 private:
  struct Impl;
  explicit TraceCore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Who lets the kernel count, where this process may not: it gives a descriptor, and while that is open it counts.
using RunTimeCounter = std::function<int()>;
void set_run_time_counter(RunTimeCounter counter);

// Runs of these programs that the kernel left out, because one of them was under way on the same CPU. Not every
// kernel counts them for every kind of program.
std::uint64_t skipped_runs_of(bpf_object* object);

// How often programs ran while the kernel counted, and how long that took.
struct RunTime {
  std::uint64_t runs = 0, ns = 0;
};
RunTime run_time_of(std::span<const int> program_fds);
// How long all runs took, of which the kernel may have counted only some. Not known if there were runs and it
// counted none: it counts for CAP_SYS_ADMIN, and for everybody with sysctl kernel.bpf_stats_enabled=1.
KnownTime time_of_all_runs(const RunTime& counted, std::uint64_t runs);

// Sums of a per-CPU array of dwell_hits, for the probes 0 .. probes-1.
std::vector<dwell_hits> read_hits(int map_fd, std::size_t probes);

}  // namespace dwell
