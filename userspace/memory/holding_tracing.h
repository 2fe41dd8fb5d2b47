// SPDX-License-Identifier: Apache-2.0
// HoldingTracing: when the recording has ended, looks for what holds the blocks that are left: no probe, some reading.
#pragma once

#include <map>
#include <memory>
#include <set>

#include "userspace/memory/kept_blocks.h"
#include "userspace/record/tracer.h"

namespace dwell::memory {

class HoldingTracing : public Tracer {
 public:
  // Heaps up to this size are looked through: three times or more, each time at about 1 GB a second.
  static constexpr std::uint64_t kLargestHeap = std::uint64_t{1} << 30;

  // `blocks`: filled by who followed them, before.
  static TracerLoader loader(std::shared_ptr<KeptBlocks> blocks);

  Result<void> added(ProcessSlot process, const ProcessFacts& facts) override;
  void forgotten(ProcessSlot slot) override { processes_.erase(slot); }
  Result<void> mapped(ProcessSlot, const std::vector<Mapping>&, bool) override { return {}; }
  Result<void> require_probes(const ProcessFacts& facts) override;
  bool is_optional() const override { return true; }
  void on_process_event(const ProcessNews& news) override;
  void on_fork(std::uint64_t, ProcessSlot, ProcessSlot) override {}
  bool decode(const dwell_header&, ProcessSlot, std::span<const std::byte>) override { return false; }
  bool counts_in_kernel() const override { return false; }
  Result<void> write_tick(std::uint64_t) override { return {}; }
  Result<void> write_live(std::uint64_t now_ns) override;
  std::uint64_t live_count() const override { return 0; }
  TracerCost cost() override { return {}; }
  void report_progress(RecordProgress&) const override {}
  void detach() override { detached_ = true; }

 private:
  HoldingTracing(const TracerContext& context, std::shared_ptr<KeptBlocks> blocks) : context_(context), blocks_(std::move(blocks)) {}
  Holding look(pid_t pid, std::vector<reach::FollowedBlock> blocks, std::uint64_t most_ns) const;

  TracerContext context_;
  std::shared_ptr<KeptBlocks> blocks_;
  std::map<ProcessSlot, pid_t> processes_;  // that go on
  bool detached_ = false;
};

}  // namespace dwell::memory
