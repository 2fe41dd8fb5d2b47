// SPDX-License-Identifier: Apache-2.0
// HoldingTracing: when the recording has ended, looks for what holds the blocks that are left: no probe, some reading.
#pragma once

#include <map>
#include <memory>
#include <set>

#include "userspace/memory/kept_blocks.h"
#include "userspace/record/probeless_tracer.h"

namespace dwell::memory {

class HoldingTracing : public ProbelessTracer {
 public:
  // Heaps up to this size are looked through: three times or more, each time at about 1 GB a second.
  static constexpr std::uint64_t kLargestHeap = std::uint64_t{1} << 30;

  // `blocks`: filled by who followed them, before.
  static TracerLoader loader(std::shared_ptr<KeptBlocks> blocks);

  Result<void> added(ProcessSlot process, const ProcessFacts& facts) override;
  void forgotten(ProcessSlot slot) override { processes_.erase(slot); }
  Result<void> require_probes(const ProcessFacts& facts) override;
  void on_process_event(const ProcessNews& news) override;
  Result<void> write_live(std::uint64_t now_ns) override;
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
