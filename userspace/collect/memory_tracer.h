// SPDX-License-Identifier: Apache-2.0
// MemoryTracer: the BPF side of the memory tracer, loaded: its programs, its maps, and the ring it sends into.
// Nothing is attached to a target yet; that is ProbeLinks' work, with the programs from here.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "bpf/events.h"
#include "bpf/tracer.h"
#include "userspace/base/result.h"
#include "userspace/collect/event.h"
#include "userspace/probes/attach.h"
#include "userspace/unwind/table_memory.h"

namespace dwell {

struct TracerSettings {
  std::uint64_t sample_bytes = 0;         // mean bytes between samples, 0: every allocation
  std::uint64_t ring_bytes = 64ull << 20; // rounded up to a power of two
  AttachMethod method = AttachMethod::kSession;
  std::uint64_t throwing_bytes = ~std::uint64_t{0};  // an operator new of that much is left alone: it may throw
  UnwindMapSizes unwind_sizes;
};

class MemoryTracer {
 public:
  static Result<MemoryTracer> load(const TracerSettings& settings);
  MemoryTracer(MemoryTracer&&) noexcept;
  ~MemoryTracer();

  UnwindMapFds unwind_maps() const;
  ProbePrograms programs() const;

  // From now on the process's events are sent, marked with the slot, until it ends.
  Result<void> add_target(pid_t pid, ProcessSlot slot);

  using RecordHandler = std::function<void(const void* data, std::size_t size)>;
  void set_handler(RecordHandler record);
  // Hands the handler what waits in the ring, up to 100,000 records; returns how many. Never blocks.
  Result<std::size_t> consume();
  int ring_fd() const;                 // readable when much waits; little waits for the next poll

  // Sums since load.
  std::vector<std::uint64_t> losses() const;          // by dwell_loss
  std::vector<dwell_hits> hits(std::size_t probes) const;  // by probe index, 0 .. probes-1
  struct RunTime {
    std::uint64_t runs = 0, ns = 0;
  };
  // How long our programs ran while the kernel counted: about 20 ns a run dearer, so only for a while.
  Result<void> count_run_time(bool on);
  RunTime run_time() const;

 private:
  struct Impl;
  explicit MemoryTracer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace dwell
