// SPDX-License-Identifier: Apache-2.0
// AllocTracing: in a recording, the heap of a Go program that keeps no profile of its own, by samples of its
// allocations and the collector's marks. Its probes are attached in windows, as those of ParkTracing are.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "userspace/go/record/probes.h"
#include "userspace/go/record/late_runtime.h"
#include "userspace/go/heap/alloc_samples.h"
#include "userspace/go/heap/sample_fates.h"
#include "userspace/probes/probe_windows.h"
#include "userspace/probes/random_start.h"
#include "userspace/record/tracer.h"
#include "userspace/go/heap/allocs.h"

namespace dwell {

class AllocTracing : public Tracer {
 public:
  // Null where the target is no Go program.
  static Result<std::unique_ptr<Tracer>> load(const TracerContext& context);
  bool is_optional() const override { return true; }
  // Whether the kernel takes the program.
  static Result<void> try_program(const TraceCore& core, AttachMethod method);
  ~AllocTracing() override;

  Result<void> added(ProcessSlot process, const ProcessFacts& facts) override;
  Result<void> mapped(ProcessSlot, const std::vector<Mapping>&, bool) override { return {}; }
  Result<void> require_probes(const ProcessFacts& facts) override;
  void on_process_event(const ProcessNews& news) override;
  void on_fork(std::uint64_t, ProcessSlot, ProcessSlot) override {}
  bool decode(const dwell_header& header, ProcessSlot process, std::span<const std::byte> record) override;
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
  struct Program;  // the BPF object
  struct Process {
    pid_t pid = 0;
    std::uint64_t cpu_at_start_ns = 0;
    bool ended = false;
    LateRuntime runtime;  // once it has begun
    std::unique_ptr<SampleFates> fates;
    std::vector<ProbeSite> sites;
    std::unique_ptr<ProbeLinks> links;
  };

  static Result<std::unique_ptr<Program>> load_program(const TraceCore& core, AttachMethod method);
  AllocTracing(const TracerContext& context, std::unique_ptr<Program> program);
  Result<void> find_runtime(ProcessSlot slot, Process& process, std::uint64_t now_ns);
  Result<void> plan_probes(ProcessSlot slot, Process& process);
  void attach(Process& process);
  void note_failure(const std::string& text);
  void open();
  void close();
  std::vector<dwell_hits> hits() const;
  double trap_ns() const;
  std::uint64_t all_hits() const;
  KnownTime counted_bpf_ns() const;
  double bpf_ns() const;  // estimated where the kernel does not count
  double target_ns(std::uint64_t now_ns) const;
  GoAllocs allocs(std::uint64_t now_ns);

  TracerContext context_;
  std::shared_ptr<OverheadShares::Part> part_;
  AttachMethod method_;
  std::unique_ptr<Program> program_;
  std::map<ProcessSlot, Process> processes_;
  std::vector<double> prices_;  // by probe index
  std::optional<ProbeWindows> windows_;
  RandomStart random_start_;
  AllocSamples samples_;
  std::uint64_t start_ns_ = 0;
  std::vector<std::string> notes_;
};

}  // namespace dwell
