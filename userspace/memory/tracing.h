// SPDX-License-Identifier: Apache-2.0
// MemoryTracing: memory in a recording. Finds and probes the allocators of the processes, and keeps the
// ledger.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "userspace/memory/kept_blocks.h"
#include "userspace/memory/ledger.h"
#include "userspace/memory/tracer.h"
#include "userspace/memory/windows/budgeted_memory.h"
#include "userspace/probes/background_close.h"
#include "userspace/probes/plan.h"
#include "userspace/record/cost.h"
#include "userspace/record/tracer.h"

namespace dwell {

struct MemoryTracingOptions {
  bool heap = true;      // what allocators give out
  bool mappings = true;  // mmap and its relatives
};

class MemoryTracing : public Tracer {
 public:
  // `kept`: gets the blocks that are left, when the probes are gone; null: nobody asks.
  static TracerLoader loader(const MemoryTracingOptions& options, std::shared_ptr<memory::KeptBlocks> kept = nullptr);

  Result<void> added(ProcessSlot process, const ProcessFacts& facts) override;
  void forgotten(ProcessSlot slot) override;
  Result<void> mapped(ProcessSlot process, const std::vector<Mapping>& mappings, bool late) override;
  void forget_probes(ProcessSlot process) override;
  std::uint64_t late_probes() const override { return late_probes_; }
  void begin(std::uint64_t start_ns) override { ledger_.begin(start_ns); }
  Result<void> require_probes(const ProcessFacts& facts) override;
  void on_process_event(const ProcessNews& news) override;
  void on_fork(std::uint64_t time_ns, ProcessSlot parent, ProcessSlot child) override;
  bool decode(const dwell_header& header, ProcessSlot process, std::span<const std::byte> record) override;
  Result<void> poll(std::uint64_t now_ns) override;
  Result<void> write_tick(std::uint64_t now_ns) override;
  Result<void> write_live(std::uint64_t now_ns) override;
  std::uint64_t tick_bytes() const override { return tick_bytes_; }
  std::uint64_t skipped_runs() const override { return tracer_.skipped_runs(); }
  bool counts_in_kernel() const override { return context_.options.sample_bytes != 0; }
  std::uint64_t live_count() const override { return ledger_.block_count(); }
  TracerCost cost() override;
  std::string_view called() const override { return "memory"; }
  std::shared_ptr<OverheadShares::Part> part() const override { return part_; }
  void report_progress(RecordProgress& progress) const override;
  void detach() override;

 private:
  using FileKey = std::pair<std::uint64_t, std::uint64_t>;  // device and inode
  struct Wanted {
    PlannedProbe* probe;
    std::string path;  // that opens its file from here
    std::string allocator;  // that its module is
  };
  struct Process {
    pid_t pid;
    PlanOptions how;
    std::unique_ptr<ProbeLinks> links;
    std::set<FileKey> inspected;
    std::vector<Wanted> throws = {};  // probes of what throws, until one is needed
    bool any_exits = false, any_probes = false;
  };

  MemoryTracing(const TracerContext& context, const MemoryTracingOptions& options, MemoryTracer tracer);
  Result<AllocModule> module_in(pid_t pid, const Mapping& mapping);
  std::vector<PlannedProbe*> plan(const AllocModule& module, PlanOptions how);
  static std::vector<Wanted> needed(Process& process, std::vector<Wanted> wanted);
  Result<void> attach(ProcessSlot slot, const std::vector<Wanted>& wanted);
  Result<void> attach_step(ProcessSlot slot, const std::vector<Wanted>& wanted);
  // Which of them are attached when is the budget's to say, if there is one.
  Result<std::vector<AttachedSite>> try_attach(ProcessSlot slot, const std::vector<Wanted>& wanted);
  void check_frees();
  void keep_blocks();
  bool plan_otherwise(const Process& process, PlannedProbe& probe);
  void not_seen(const std::string& what, const std::string& why) { context_.unseen({0, "memory", what, why}); }

  TracerContext context_;
  std::shared_ptr<OverheadShares::Part> part_;
  MemoryTracingOptions options_;
  MemoryTracer tracer_;
  MemoryLedger ledger_;
  std::unique_ptr<memory::windows::BudgetedMemory> budget_;  // with --max-overhead
  CostMeter cost_;
  std::vector<std::unique_ptr<PlannedProbe>> probes_;
  std::map<FileKey, std::vector<PlannedProbe*>>
      plans_;  // a file that several processes have mapped is planned once
  std::map<FileKey, AllocModule> modules_;
  std::map<ProcessSlot, Process> processes_;
  BackgroundClose closing_;
  std::uint64_t late_probes_ = 0;
  std::uint64_t oldest_blocks_ = 0;     // more can't have been there when the processes were attached to
  bool became_another_ = false;         // and then nobody knows how many there were
  bool told_of_unknown_frees_ = false;
  std::string nothing_to_probe_;        // why, as long as there is nothing
  std::uint64_t tick_bytes_ = 0;
  std::shared_ptr<memory::KeptBlocks> kept_;
  bool detached_ = false;
};

}  // namespace dwell
