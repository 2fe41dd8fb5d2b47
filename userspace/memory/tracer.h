// SPDX-License-Identifier: Apache-2.0
// MemoryTracer: the BPF side of the memory tracer, loaded. Nothing is attached to a target yet; that is
// ProbeLinks' work, with the programs from here.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/collect/trace_core.h"
#include "userspace/memory/windows/kernel_levels.h"
#include "userspace/probes/attach.h"

namespace dwell {

struct MemoryTracerSettings {
  std::uint64_t sample_bytes = 0;  // mean bytes between samples, 0: every allocation
  AttachMethod method = AttachMethod::kSession;
  bool budgeted = false;           // bpf/alloc_windows.h
};

class MemoryTracer {
 public:
  static Result<MemoryTracer> load(const TraceCore& core, const MemoryTracerSettings& settings);
  MemoryTracer(MemoryTracer&&) noexcept;
  ~MemoryTracer();

  ProbePrograms programs() const;

  // What is shared with the programs, if they are budgeted.
  Result<memory::windows::KernelLevels> levels();

  // Sums since load.
  std::vector<dwell_hits> hits(std::size_t probes) const;  // by probe index, 0 .. probes-1
  RunTime run_time() const;
  std::uint64_t skipped_runs() const;

 private:
  struct Impl;
  explicit MemoryTracer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace dwell
