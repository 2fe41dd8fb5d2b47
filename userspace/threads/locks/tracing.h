// SPDX-License-Identifier: Apache-2.0
// LockTracing: for how long threads wait for locks, in a recording.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "userspace/record/tracer.h"
#include "userspace/threads/locks/sums.h"
#include "userspace/threads/locks/waits.h"

namespace dwell {

class LockTracing : public Tracer {
 public:
  static TracerLoader loader();
  // Whether the kernel takes the programs: loaded and attached, and gone again.
  static Result<void> try_program(const TraceCore& core);

  Result<void> added(ProcessSlot process, const ProcessFacts& facts) override;
  void forgotten(ProcessSlot slot) override { processes_.erase(slot); }
  Result<void> mapped(ProcessSlot, const std::vector<Mapping>&, bool) override { return {}; }
  void begin(std::uint64_t start_ns) override;
  void end() override;
  Result<void> require_probes(const ProcessFacts&) override { return {}; }
  void on_process_event(const ProcessNews&) override {}
  void on_fork(std::uint64_t, ProcessSlot, ProcessSlot) override {}
  bool decode(const dwell_header&, ProcessSlot, std::span<const std::byte>) override { return false; }
  bool begins_behind_system_calls() const override { return true; }
  Result<void> write_tick(std::uint64_t) override { return {}; }
  Result<void> write_live(std::uint64_t now_ns) override;
  std::uint64_t live_count() const override { return 0; }
  std::uint64_t skipped_runs() const override { return sums_.skipped_runs(); }
  TracerCost cost() override;
  std::string_view called() const override { return "locks"; }
  void report_progress(RecordProgress&) const override {}
  void detach() override { sums_.detach(); }

 private:
  LockTracing(const TracerContext& context, LockSums sums) : context_(context), sums_(std::move(sums)) {}
  StackId stack_of(std::uint64_t identity) const;
  void name_locks(LockWaits& waits);

  TracerContext context_;
  LockSums sums_;
  std::map<ProcessSlot, pid_t> processes_;
  bool ending_ = false;
};

}  // namespace dwell
