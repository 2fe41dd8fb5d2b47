// SPDX-License-Identifier: Apache-2.0
// CpuSampler: where threads are that run and can't be looked at, for their registers are in their CPU. A
// clock of the kernel interrupts each once.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "bpf/cpu_sample.h"
#include "userspace/base/result.h"

namespace dwell {

struct CpuSample {
  std::uint32_t tid;
  std::uint64_t ip, sp, bp;
  std::uint64_t call;  // system call it is in, all ones: none
  std::string stack;   // from sp upward, of the same moment
};

class CpuSampler {
 public:
  static Result<CpuSampler> open();
  CpuSampler(CpuSampler&&) noexcept;
  CpuSampler& operator=(CpuSampler&&) noexcept;
  ~CpuSampler();

  // Of those that ran within a few milliseconds.
  std::vector<CpuSample> sample(std::span<const std::uint32_t> tids);

  // Each up to DWELL_RUN_STATES times, until each was met often enough to tell whether it gets on, or `until_ns` of the monotonic clock at most. In the order of `tids`; of many, the first ones.
  std::vector<std::vector<dwell_run_state>> watch(std::span<const std::uint32_t> tids, std::uint64_t until_ns);

 private:
  struct Impl;
  explicit CpuSampler(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace dwell
