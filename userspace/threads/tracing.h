// SPDX-License-Identifier: Apache-2.0
// ThreadTracing: threads in a recording. Who creates them, what becomes of them, and looks at all of them: before probes
// are placed, after they are gone, and from time to time in between.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "userspace/threads/blocked_sites.h"
#include "userspace/threads/ledger.h"
#include "userspace/collect/address_space.h"
#include "userspace/probes/attach.h"
#include "userspace/probes/background_close.h"
#include "userspace/record/tracer.h"
#include "userspace/threads/blocked_time.h"
#include "userspace/threads/creation_pace.h"
#include "userspace/threads/observer.h"

namespace dwell {

struct ThreadTracingOptions {
  bool looks = true;       // at all threads: at the start, at the end, and as --look-every says
  bool created = true;     // who creates threads, and what becomes of them
  bool blocked = false;    // blocked time by stack
  bool asked_for = false;  // else they are beside something, and no recording by themselves
};

class ThreadTracing : public Tracer {
 public:
  static TracerLoader loader(const ThreadTracingOptions& options);
  // Whether the kernel takes the program: loaded and attached, and gone again.
  static Result<void> try_program(const TraceCore& core, AttachMethod method);
  ~ThreadTracing() override;

  Result<void> added(ProcessSlot process, const ProcessFacts& facts) override;
  void begin(std::uint64_t now_ns) override;
  void end() override;
  Result<void> mapped(ProcessSlot process, const std::vector<Mapping>& mappings, bool late) override;
  void forget_probes(ProcessSlot process) override;
  std::uint64_t late_probes() const override { return late_probes_; }
  Result<void> require_probes(const ProcessFacts& facts) override;
  bool is_optional() const override { return !options_.asked_for; }
  void on_process_event(const ProcessNews& news) override;
  void on_fork(std::uint64_t, ProcessSlot, ProcessSlot) override {
  }  // a child begins with one thread, its first
  std::uint64_t skipped_runs() const override;
  bool counts_in_kernel() const override { return blocked_.has_value(); }
  bool begins_behind_system_calls() const override { return options_.blocked; }
  bool decode(const dwell_header& header, ProcessSlot process, std::span<const std::byte> record) override;
  Result<void> poll(std::uint64_t now_ns) override;
  Result<void> write_tick(std::uint64_t now_ns) override;
  Result<void> write_live(std::uint64_t now_ns) override;
  std::uint64_t live_count() const override { return ledger_.live_count(); }
  TracerCost cost() override;
  std::string_view called() const override { return "threads"; }
  void report_progress(RecordProgress&) const override {}
  void detach() override;

 private:
  using FileKey = std::pair<std::uint64_t, std::uint64_t>;  // device and inode
  struct Program;                                           // the BPF object
  struct Process {
    pid_t pid;
    std::unique_ptr<ProbeLinks> links;
    std::set<FileKey> inspected;
    AddressSpace code = {};
  };

  static Result<std::unique_ptr<Program>> load_program(const TraceCore& core, AttachMethod method);
  ThreadTracing(const TracerContext& context, const ThreadTracingOptions& options, std::unique_ptr<Program> program);
  static Result<std::unique_ptr<Tracer>> load(const TracerContext& context, const ThreadTracingOptions& options);
  std::unique_ptr<ProbeLinks> links_of(pid_t pid) const;
  std::uint32_t routine_of(ProcessSlot process, std::uint64_t address) const;
  Result<void> look();
  void look_before_all();
  void spare_target(std::uint64_t now_ns);
  Result<ThreadObserver*> observer();
  StackId stack_of(std::uint64_t identity) const;
  Waker waker_of(const BlockedSum& sum) const;
  BlockedSites blocked_sites(std::uint64_t now_ns) const;
  void assume_waiting();
  Result<void> write_blocked(std::uint64_t now_ns);

  TracerContext context_;
  ThreadTracingOptions options_;
  std::unique_ptr<Program> program_;  // null: nobody asked who creates threads
  ThreadLedger ledger_;
  std::map<ProcessSlot, Process> processes_;
  std::uint64_t late_probes_ = 0;
  BackgroundClose closing_;
  std::optional<ThreadObserver> observer_;  // of the first process; made anew when its code has changed
  std::uint64_t began_ns_ = 0, look_due_ns_ = 0;  // the first look, and the next
  std::optional<BlockedTime> blocked_;
  std::uint64_t recording_began_ns_ = 0;  // CLOCK_MONOTONIC
  bool ending_ = false;
  CreationPace creations_;
  bool follows_creations_ = true;
  std::optional<ThreadLook> first_look_;  // until it is written
};

}  // namespace dwell
