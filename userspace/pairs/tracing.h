// SPDX-License-Identifier: Apache-2.0
// PairTracing: resources that are taken and given back by functions that the user named, in a recording.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "userspace/pairs/ledger.h"
#include "userspace/pairs/module_plan.h"
#include "userspace/pairs/probes.h"
#include "userspace/probes/background_close.h"
#include "userspace/record/cost.h"
#include "userspace/record/tracer.h"

namespace dwell::pairs {

class PairTracing : public Tracer {
 public:
  static TracerLoader loader(std::vector<PairSpec> specs);
  // Whether the kernel takes the programs.
  static Result<void> try_program(const TraceCore& core, AttachMethod method);

  Result<void> added(ProcessSlot process, const ProcessFacts& facts) override;
  void forgotten(ProcessSlot slot) override { processes_.erase(slot); }
  Result<void> mapped(ProcessSlot process, const std::vector<Mapping>& mappings, bool late) override;
  void forget_probes(ProcessSlot process) override;
  std::uint64_t late_probes() const override { return late_probes_; }
  void begin(std::uint64_t start_ns) override { ledger_.begin(start_ns); }
  void end() override;
  Result<void> require_probes(const ProcessFacts& facts) override;
  void on_process_event(const ProcessNews& news) override;
  void on_fork(std::uint64_t time_ns, ProcessSlot parent, ProcessSlot child) override { ledger_.fork(time_ns, parent, child); }
  bool decode(const dwell_header& header, ProcessSlot process, std::span<const std::byte> record) override;
  bool counts_in_kernel() const override { return false; }
  Result<void> write_tick(std::uint64_t now_ns) override;
  Result<void> write_live(std::uint64_t now_ns) override;
  std::uint64_t tick_bytes() const override { return tick_bytes_; }
  std::uint64_t live_count() const override { return ledger_.held_count(); }
  std::uint64_t skipped_runs() const override { return probes_.skipped_runs(); }
  TracerCost cost() override;
  std::string_view called() const override { return "pairs"; }
  void report_progress(RecordProgress&) const override {}
  void detach() override;

 private:
  using FileKey = std::pair<std::uint64_t, std::uint64_t>;  // device and inode
  struct Planned {
    PairModule module;
    std::vector<std::unique_ptr<PlannedProbe>> probes;  // one for each function of the module
  };
  struct Process {
    pid_t pid;
    PlanOptions how;
    std::unique_ptr<ProbeLinks> links;
    std::set<FileKey> inspected = {};
    bool any_probes = false;
  };

  PairTracing(const TracerContext& context, std::vector<PairSpec> specs, PairProbes probes);
  static Result<std::unique_ptr<Tracer>> load(const TracerContext& context, const std::vector<PairSpec>& specs);
  Planned& plan(const Process& process, const Mapping& mapping, bool may_unwind);
  Result<void> attach(Process& process, const Mapping& mapping, Planned& planned, bool gives);
  void note_functions(const Planned& planned);
  Result<void> write_pairs();

  TracerContext context_;
  std::vector<PairSpec> specs_;
  PairProbes probes_;
  HoldLedger ledger_;
  CostMeter cost_;
  std::map<FileKey, Planned> plans_;
  std::map<ProcessSlot, Process> processes_;
  std::map<std::uint16_t, std::uint16_t> pair_of_probe_;
  std::set<std::uint16_t> return_probes_;  // whose returns the kernel does not count where it has no sessions
  std::vector<PairInfo> pairs_;
  std::set<const PairFunction*> found_;    // that some process has
  bool pairs_changed_ = true;
  BackgroundClose closing_;
  std::uint64_t late_probes_ = 0, tick_bytes_ = 0;
};

}  // namespace dwell::pairs
