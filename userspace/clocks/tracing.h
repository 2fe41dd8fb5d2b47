// SPDX-License-Identifier: Apache-2.0
// ClockTracing: clocks in a recording. One look at them, from the beginning to the end, told anew at each
// checkpoint.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "userspace/clocks/authors.h"
#include "userspace/clocks/probes.h"
#include "userspace/clocks/tracer.h"
#include "userspace/clocks/read_cost.h"
#include "userspace/clocks/read_watch.h"
#include "userspace/clocks/step_ledger.h"
#include "userspace/record/tracer.h"

namespace dwell {

class ClockTracing : public Tracer {
 public:
  static Result<std::unique_ptr<Tracer>> load(const TracerContext& context);

  Result<void> added(ProcessSlot process, const ProcessFacts& facts) override;
  Result<void> mapped(ProcessSlot process, const std::vector<Mapping>& mappings, bool late) override;
  Result<void> require_probes(const ProcessFacts&) override { return {}; }  // waits, at least
  void on_process_event(const ProcessNews& news) override;
  void on_fork(std::uint64_t, ProcessSlot, ProcessSlot) override {}  // what was counted stays the parent's
  std::uint64_t skipped_runs() const override { return tracer_.skipped_runs(); }
  bool decode(const dwell_header& header, ProcessSlot process, std::span<const std::byte> record) override;
  Result<void> poll(std::uint64_t) override;
  Result<void> write_tick(std::uint64_t now_ns) override;
  Result<void> write_live(std::uint64_t now_ns) override;
  std::uint64_t live_count() const override { return 0; }
  TracerCost cost() override;
  std::string_view called() const override { return part_->name; }
  std::shared_ptr<OverheadShares::Part> part() const override { return part_; }
  void report_progress(RecordProgress&) const override {}
  void detach() override;

 private:
  struct Process {
    pid_t pid;
    PlannedModules planned;
  };
  ClockTracing(const TracerContext& context, ClockTracer tracer);
  void judge_sample(const ClockSample& sample);
  bool is_vdso(const Location& location) const;
  std::vector<std::uint64_t> frames(std::uint64_t identity) const;
  bool through_probe(std::uint64_t identity) const;
  ClockLook look(std::uint64_t now_ns);

  TracerContext context_;
  std::shared_ptr<OverheadShares::Part> part_;
  ClockTracer tracer_;
  ReadCost read_cost_;
  std::map<ProcessSlot, Process> processes_;
  std::vector<FileSpan> places_;
  StepLedger ledger_;
  std::vector<ClockAuthor> authors_;    // of the ledger's calls, in order
  std::optional<ClockSample> pending_;  // until all calls before it have been read
  std::vector<std::string> notes_;
  ReadWatch reads_;  // last: its thread uses the tracer
};

}  // namespace dwell
