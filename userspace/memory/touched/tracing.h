// SPDX-License-Identifier: Apache-2.0
// TouchedTracing: who touches memory first, in a recording. Page faults of all recorded processes, and looks at which of their
// pages are still in memory: at checkpoints where the process is small, and at the end.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "userspace/memory/touched/kept_looks.h"
#include "userspace/memory/touched/page_faults.h"
#include "userspace/memory/touched/pagemap.h"
#include "userspace/memory/touched/sites.h"
#include "userspace/memory/touched/touched_pages.h"
#include "userspace/record/probeless_tracer.h"

namespace dwell::memory {

class TouchedTracing : public ProbelessTracer {
 public:
  // `alone`: nothing else of memory is recorded. `looks`: of others, if they take any.
  static TracerLoader loader(bool alone, std::shared_ptr<KeptLooks> looks);
  // Whether the kernel takes the programs: loaded and attached, and gone again.
  static Result<void> try_program(const TraceCore& core);

  Result<void> added(ProcessSlot process, const ProcessFacts& facts) override;
  void forgotten(ProcessSlot slot) override { processes_.erase(slot); }
  void begin(std::uint64_t start_ns) override;
  void end() override { faults_.detach(); }
  Result<void> require_probes(const ProcessFacts& facts) override;
  bool begins_behind_system_calls() const override { return true; }
  bool begins_anywhere() const override { return true; }
  void on_process_event(const ProcessNews& news) override;
  bool decode(const dwell_header& header, ProcessSlot process, std::span<const std::byte> record) override;
  Result<void> write_tick(std::uint64_t now_ns) override;
  Result<void> write_live(std::uint64_t now_ns) override;
  std::uint64_t skipped_runs() const override { return faults_.skipped_runs(); }
  TracerCost cost() override;
  std::string_view called() const override { return part_->name; }
  std::shared_ptr<OverheadShares::Part> part() const override { return part_; }
  Result<void> poll(std::uint64_t now_ns) override;
  void detach() override { detached_ = true; }

 private:
  struct Process {
    pid_t pid;
    TouchedPages pages = {};
    std::optional<PresentPages> before = {};  // none: it is not known what was in memory before
    bool ended = false, looked = false;
  };

  TouchedTracing(const TracerContext& context, bool alone, std::shared_ptr<KeptLooks> looks, PageFaults faults)
      : context_(context), part_(context.overhead.join("page faults", kOtherWorth, 1)), alone_(alone), looks_(std::move(looks)), faults_(std::move(faults)) {}
  std::optional<TouchedMemory> look(ProcessSlot slot, const Process& process, std::uint64_t now_ns) const;

  TracerContext context_;
  std::shared_ptr<OverheadShares::Part> part_;
  bool alone_;
  std::shared_ptr<KeptLooks> looks_;
  PageFaults faults_;
  std::map<ProcessSlot, Process> processes_;
  bool detached_ = false;
  std::uint64_t limited_ns_ = 0, cpu_ns_ = 0;
  PageFaults::Spent spent_;  // then
};

}  // namespace dwell::memory
