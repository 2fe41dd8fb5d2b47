// SPDX-License-Identifier: Apache-2.0
// The memory of each recorded process as a whole, in a recording: no probe, a few files of /proc now and then.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "userspace/memory/process_sampler.h"
#include "userspace/memory/touched/kept_looks.h"
#include "userspace/record/probeless_tracer.h"

namespace dwell {

class ProcessTracing : public ProbelessTracer {
 public:
  // `alone`: nothing else of memory is recorded. `looks`: keeps what the last looks found.
  static TracerLoader loader(bool alone, std::shared_ptr<memory::KeptLooks> looks);

  Result<void> added(ProcessSlot process, const ProcessFacts& facts) override;
  void forgotten(ProcessSlot slot) override { processes_.erase(slot); }
  void begin(std::uint64_t start_ns) override;
  void end() override;
  Result<void> require_probes(const ProcessFacts& facts) override;
  void on_process_event(const ProcessNews& news) override;
  Result<void> poll(std::uint64_t now_ns) override;
  Result<void> write_tick(std::uint64_t now_ns) override;
  Result<void> write_live(std::uint64_t now_ns) override;
  void detach() override { detached_ = true; }

 private:
  struct Process {
    ProcessSampler sampler;
    std::vector<MemorySample> samples;  // not written yet
    ProcessAccount first = {};          // not written yet
    std::vector<ProcessLimit> limits = {};  // as they were written last
    bool ended = false, accounted = false;
    bool walked = false;         // at the start, with those that the recording began with
    std::uint64_t since_ns = 0;  // it is followed
  };

  ProcessTracing(const TracerContext& context, bool alone, std::shared_ptr<memory::KeptLooks> looks)
      : context_(context), alone_(alone), looks_(std::move(looks)) {}
  void take_samples(std::uint64_t now_ns);
  void account_for_child(std::uint64_t now_ns);
  void account_at_start(Process& process, pid_t pid, std::uint64_t now_ns);
  Result<void> write_samples(ProcessSlot slot, Process& process);
  Result<void> write_limits(ProcessSlot slot, Process& process);

  TracerContext context_;
  bool alone_;
  std::shared_ptr<memory::KeptLooks> looks_;
  std::map<ProcessSlot, Process> processes_;
  std::uint64_t next_ns_ = 0;  // of the next samples; 0: the recording has not begun
  std::uint64_t next_account_ns_ = 0;  // of a child
  std::size_t children_ = 0;           // that have an account
  std::uint64_t began_accounts_ns_ = 0;  // of those that the recording begins with
  std::uint64_t left_to_walk_ = ProcessSampler::kMostWalked;
  bool ending_ = false, detached_ = false;
};

}  // namespace dwell
