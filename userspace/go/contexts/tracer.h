// SPDX-License-Identifier: Apache-2.0
// ContextTracer: the BPF side of contexts, loaded: its program, and what it has counted.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "bpf/go_contexts.h"
#include "bpf/tracer.h"
#include "userspace/base/result.h"
#include "userspace/collect/trace_core.h"
#include "userspace/probes/attach.h"

namespace dwell {

class ContextTracer {
 public:
  static Result<ContextTracer> load(const TraceCore& core, AttachMethod method);
  ContextTracer(ContextTracer&&) noexcept;
  ~ContextTracer();

  ProbePrograms programs() const;
  // From now on contexts of this type are known as parents.
  void learn(std::uint64_t process, std::uint64_t itab, dwell_go_context_end end);
  std::vector<std::pair<dwell_go_context_site, dwell_go_context_sums>> sites() const;
  std::vector<std::pair<dwell_go_context_key, dwell_go_context>> alive() const;

  std::vector<dwell_hits> hits(std::size_t probes) const;  // by probe index, 0 .. probes-1
  RunTime run_time() const;
  std::uint64_t lost() const;     // that found no room
  std::uint64_t unknown() const;  // cancelled, and not seen to be made

 private:
  struct Impl;
  explicit ContextTracer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace dwell
