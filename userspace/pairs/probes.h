// SPDX-License-Identifier: Apache-2.0
// PairProbes: the BPF side of pairs, loaded. Attaching is ProbeLinks' work, with the programs from here.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/collect/trace_core.h"
#include "userspace/probes/attach.h"

namespace dwell::pairs {

class PairProbes {
 public:
  static Result<PairProbes> load(const TraceCore& core, AttachMethod method);
  PairProbes(PairProbes&&) noexcept;
  PairProbes& operator=(PairProbes&&) noexcept;
  ~PairProbes();

  ProbePrograms programs() const;
  // Sums since load.
  std::vector<dwell_hits> hits(std::size_t probes) const;  // by probe index, 0 .. probes-1
  RunTime run_time() const;
  std::uint64_t skipped_runs() const;

 private:
  struct Impl;
  explicit PairProbes(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace dwell::pairs
