// SPDX-License-Identifier: Apache-2.0
// ParkTracing: in a recording, where goroutines park and for how long, by stack and wait reason, told anew at
// each checkpoint.
//
// The probes are attached in windows, so that they take no more than a few percent of the target's time. A
// program whose goroutines switch seldom is watched all the time.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "userspace/go/record/probes.h"
#include "userspace/go/record/late_runtime.h"
#include "userspace/go/waits/park_accounts.h"
#include "userspace/go/waits/park_tracer.h"
#include "userspace/go/waits/seen_parked.h"
#include "userspace/probes/probe_windows.h"
#include "userspace/probes/random_start.h"
#include "userspace/record/tracer.h"
#include "userspace/go/waits/parks.h"

namespace dwell {

class ParkTracing : public Tracer {
 public:
  static Result<std::unique_ptr<Tracer>> load(const TracerContext& context);

  Result<void> added(ProcessSlot process, const ProcessFacts& facts) override;
  Result<void> mapped(ProcessSlot, const std::vector<Mapping>&, bool) override { return {}; }
  Result<void> require_probes(const ProcessFacts& facts) override;
  void on_process_event(const ProcessNews& news) override;
  void on_fork(std::uint64_t, ProcessSlot, ProcessSlot) override {}
  bool decode(const dwell_header&, ProcessSlot, std::span<const std::byte>) override { return false; }
  Result<void> poll(std::uint64_t now_ns) override;
  Result<void> write_tick(std::uint64_t) override { return {}; }
  Result<void> write_live(std::uint64_t now_ns) override;
  std::uint64_t live_count() const override { return 0; }
  TracerCost cost() override;
  std::string_view called() const override { return part_->name; }
  std::shared_ptr<OverheadShares::Part> part() const override { return part_; }
  void report_progress(RecordProgress&) const override {}
  void detach() override;

 private:
  struct Process {
    pid_t pid = 0;
    std::uint64_t cpu_at_start_ns = 0;
    bool ended = false;
    LateRuntime runtime;  // once it has begun
    std::unique_ptr<GoStackIds> stacks;
    std::vector<ProbeSite> sites;
    std::unique_ptr<ProbeLinks> links;
  };

  ParkTracing(const TracerContext& context, ParkTracer tracer);
  Result<void> find_runtime(ProcessSlot slot, Process& process, std::uint64_t now_ns);
  void plan_probes(Process& process);
  void attach(Process& process);
  void note_failure(const std::string& text);

  std::size_t most_places() const;  // that a process has; 0: there is nothing to watch
  void open();
  void close();
  void look();
  ParkWindow window_until(std::uint64_t now_ns) const;
  double trap_ns() const;
  std::uint64_t all_hits() const;
  KnownTime counted_bpf_ns() const;
  double bpf_ns() const;  // estimated where the kernel does not count
  std::uint64_t cpu_ns() const;
  double target_ns(std::uint64_t now_ns) const;
  GoParks parks(std::uint64_t now_ns);
  std::uint32_t reason_index(GoParks& parks, const ParkSite& site) const;

  TracerContext context_;
  std::shared_ptr<OverheadShares::Part> part_;
  AttachMethod method_;
  ParkTracer tracer_;
  std::map<ProcessSlot, Process> processes_;
  std::vector<double> prices_;  // by probe index
  std::optional<ProbeWindows> windows_;
  RandomStart random_start_;
  ParkAccounts accounts_;
  ParkWindow window_;  // the one that is open
  std::uint64_t start_ns_ = 0, closed_ns_ = 0, look_took_ns_ = 0;
  std::uint64_t cpu_at_open_ns_ = 0, window_cpu_ns_ = 0;
  std::vector<std::string> notes_;
};

}  // namespace dwell
