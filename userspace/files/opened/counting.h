// SPDX-License-Identifier: Apache-2.0
// DescriptorCounting: how many descriptors are open in the processes of a recording that does not follow who opens them. Reads /proc.
#pragma once

#include <map>
#include <vector>

#include "userspace/files/opened/counted.h"
#include "userspace/record/probeless_tracer.h"

namespace dwell::files {

class DescriptorCounting : public ProbelessTracer {
 public:
  explicit DescriptorCounting(const TracerContext& context) : context_(context) {}

  Result<void> added(ProcessSlot process, const ProcessFacts& facts) override;
  void forgotten(ProcessSlot process) override { pids_.erase(process); }
  void begin(std::uint64_t start_ns) override;
  void before_last_records() override;
  Result<void> require_probes(const ProcessFacts& facts) override;
  void on_process_event(const ProcessNews& news) override;
  Result<void> poll(std::uint64_t now_ns) override;
  Result<void> write_tick(std::uint64_t now_ns) override;

 private:
  void count_all(std::uint64_t now_ns, bool kinds);

  TracerContext context_;
  std::map<ProcessSlot, pid_t> pids_;  // of those that run
  std::vector<DescriptorCount> counts_;  // since the last tick
  std::uint64_t began_ns_ = 0, next_ns_ = 0;
};

}  // namespace dwell::files
