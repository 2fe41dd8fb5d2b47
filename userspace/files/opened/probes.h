// SPDX-License-Identifier: Apache-2.0
// DescriptorProbes: the kernel's side of who opens and closes descriptors, in one of two ways: where the kernel puts files into
// descriptor tables and takes them out (bpf/descriptors.bpf.c), or at system calls (bpf/descriptor_calls.bpf.c).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/collect/trace_core.h"

namespace dwell::files {

enum class DescriptorsBy {
  kTables,  // BPF trampolines: other processes pay where they open and close, and nowhere else
  kCalls,   // tracepoints: each system call of the machine becomes dearer
};

// Exit::kUnsupported where the kernel has none (or its hypervisor does not let it patch its code).
Result<void> require_trampolines();

class DescriptorProbes {
 public:
  static Result<DescriptorProbes> load(const TraceCore& core, DescriptorsBy by);
  DescriptorProbes(DescriptorProbes&&) noexcept;
  DescriptorProbes& operator=(DescriptorProbes&&) noexcept;
  ~DescriptorProbes();

  // From then on records are sent.
  Result<void> attach();
  // One of the processes whose records are sent.
  void add_target(pid_t pid);
  DescriptorsBy by() const;
  std::uint64_t skipped_runs() const;
  std::uint64_t run_time_ns() const;  // of the programs, for the targets
  void detach();

 private:
  struct Impl;
  explicit DescriptorProbes(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace dwell::files
