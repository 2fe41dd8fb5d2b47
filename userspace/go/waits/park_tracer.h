// SPDX-License-Identifier: Apache-2.0
// ParkTracer: the BPF side of parked goroutines, loaded: its program, and what it has summed up in the window
// that is open. Probes are attached elsewhere, a window at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "bpf/go_parks.h"
#include "bpf/tracer.h"
#include "userspace/base/result.h"
#include "userspace/collect/trace_core.h"
#include "userspace/probes/attach.h"

namespace dwell {

class ParkTracer {
 public:
  static Result<ParkTracer> load(const TraceCore& core, AttachMethod method);
  ParkTracer(ParkTracer&&) noexcept;
  ~ParkTracer();

  ProbePrograms programs() const;

  void open_window();
  void close_window();
  std::vector<std::pair<dwell_go_site, dwell_go_site_sums>> sites() const;
  std::vector<std::pair<dwell_goroutine_key, dwell_goroutine>> goroutines() const;
  // Of a window that is closed.
  void forget();

  std::vector<dwell_hits> hits(std::size_t probes) const;  // by probe index, 0 .. probes-1
  RunTime run_time() const;
  std::uint64_t lost() const;  // parks that are in no sum

 private:
  struct Impl;
  explicit ParkTracer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace dwell
