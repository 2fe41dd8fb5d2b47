// SPDX-License-Identifier: Apache-2.0
// DescriptorTracing: who opens descriptors, and what becomes of them, in a recording.
#pragma once

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "userspace/files/opened/ledger.h"
#include "userspace/files/opened/probes.h"
#include "userspace/record/tracer.h"

namespace dwell::files {

class DescriptorTracing : public Tracer {
 public:
  // `asked`: by name. Else they are followed only where that costs other processes next to nothing.
  static TracerLoader loader(bool asked);
  // Whether the kernel takes the programs: loaded and attached, and gone again.
  static Result<void> try_program(const TraceCore& core, DescriptorsBy by);

  Result<void> added(ProcessSlot process, const ProcessFacts& facts) override;
  Result<void> mapped(ProcessSlot, const std::vector<Mapping>&, bool) override { return {}; }
  void begin(std::uint64_t start_ns) override;
  void before_last_records() override;
  void end() override;
  Result<void> require_probes(const ProcessFacts& facts) override;
  bool is_optional() const override { return true; }
  bool begins_behind_system_calls() const override { return true; }
  void on_process_event(const ProcessNews& news) override;
  void on_fork(std::uint64_t time_ns, ProcessSlot parent, ProcessSlot child) override;
  bool decode(const dwell_header& header, ProcessSlot process, std::span<const std::byte> record) override;
  bool counts_in_kernel() const override { return false; }
  Result<void> write_tick(std::uint64_t now_ns) override;
  std::uint64_t tick_bytes() const override { return tick_bytes_; }
  Result<void> write_live(std::uint64_t now_ns) override;
  std::uint64_t live_count() const override { return ledger_.open_count(); }
  // Most were to run in other processes. Where the ledger agrees with the processes at the end, none of ours is missing.
  std::uint64_t skipped_runs() const override { return may_lack_some_ ? probes_.skipped_runs() : 0; }
  TracerCost cost() override;
  std::string_view called() const override { return "descriptors"; }
  void report_progress(RecordProgress&) const override {}
  void detach() override {}

 private:
  struct Process {
    pid_t pid;
    bool ended = false;
    std::vector<SeenDescriptor> last_seen = {};  // before_last_records()
    bool looked = false;                          // that was possible
  };
  using Descriptor = std::pair<ProcessSlot, std::uint32_t>;

  DescriptorTracing(const TracerContext& context, bool asked, DescriptorProbes probes)
      : context_(context), asked_(asked), probes_(std::move(probes)), ledger_(context.start_ns) {}
  static Result<std::unique_ptr<Tracer>> load(const TracerContext& context, bool asked);
  void look_at_the_end(ProcessSlot slot, Process& process);

  TracerContext context_;
  bool asked_;
  DescriptorProbes probes_;
  DescriptorLedger ledger_;
  std::map<ProcessSlot, Process> processes_;
  std::vector<DescriptorCheck> checks_;
  std::set<Descriptor> left_by_peer_;
  std::uint64_t tick_bytes_ = 0;
  bool may_lack_some_ = false;
};

}  // namespace dwell::files
