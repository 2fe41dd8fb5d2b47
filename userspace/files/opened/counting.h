// SPDX-License-Identifier: Apache-2.0
// DescriptorCounting: how many descriptors are open in the processes of a recording that does not follow who opens them. Reads /proc.
#pragma once

#include <map>
#include <vector>

#include "userspace/files/opened/counted.h"
#include "userspace/record/tracer.h"

namespace dwell::files {

class DescriptorCounting : public Tracer {
 public:
  explicit DescriptorCounting(const TracerContext& context) : context_(context) {}

  Result<void> added(ProcessSlot process, const ProcessFacts& facts) override;
  void forgotten(ProcessSlot process) override { pids_.erase(process); }
  Result<void> mapped(ProcessSlot, const std::vector<Mapping>&, bool) override { return {}; }
  void begin(std::uint64_t start_ns) override;
  void before_last_records() override;
  Result<void> require_probes(const ProcessFacts& facts) override;
  bool is_optional() const override { return true; }
  void on_process_event(const ProcessNews& news) override;
  void on_fork(std::uint64_t, ProcessSlot, ProcessSlot) override {}
  bool decode(const dwell_header&, ProcessSlot, std::span<const std::byte>) override { return false; }
  bool counts_in_kernel() const override { return false; }
  Result<void> poll(std::uint64_t now_ns) override;
  Result<void> write_tick(std::uint64_t now_ns) override;
  Result<void> write_live(std::uint64_t) override { return {}; }
  std::uint64_t live_count() const override { return 0; }
  TracerCost cost() override { return {}; }
  void report_progress(RecordProgress&) const override {}
  void detach() override {}

 private:
  void count_all(std::uint64_t now_ns, bool kinds);

  TracerContext context_;
  std::map<ProcessSlot, pid_t> pids_;  // of those that run
  std::vector<DescriptorCount> counts_;  // since the last tick
  std::uint64_t began_ns_ = 0, next_ns_ = 0;
};

}  // namespace dwell::files
