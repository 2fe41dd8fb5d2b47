// SPDX-License-Identifier: Apache-2.0
// BudgetedMemory: the part of a memory recording that keeps it within a budget: hands exact figures and windows to the
// recording, each for the time in which they were made.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "userspace/memory/ledger.h"
#include "userspace/memory/reach/held_sites.h"
#include "userspace/memory/tracer.h"
#include "userspace/memory/windows/part.h"
#include "userspace/memory/windows/window_driver.h"
#include "userspace/record/tracer.h"

namespace dwell::memory::windows {

class BudgetedMemory {
 public:
  // Exit::kUnsupported where probes cannot be attached and detached quickly. `percent` of the target's CPU time may be spent on
  // everything, and `part` is what memory may have of that. `tracer` and `ledger` outlive it.
  static Result<std::unique_ptr<BudgetedMemory>> create(const TracerContext& context, double percent, std::shared_ptr<OverheadShares::Part> part,
                                                        MemoryTracer& tracer, MemoryLedger& ledger);

  void added(ProcessSlot slot, pid_t pid) { driver_.add(slot, context_.target_of(slot), pid); }
  void forgotten(ProcessSlot slot);
  Result<std::vector<AttachedSite>> attach(ProcessSlot slot, const std::vector<DrivenSite>& sites) { return driver_.attach(slot, sites); }
  void forget_probes(ProcessSlot slot) { driver_.process(slot).forget_probes(); }
  void happened(const ProcessNews& news);
  // Whether an event of the ring belongs to a time in which the process was followed exactly.
  bool is_exact(ProcessSlot slot, std::uint64_t time_ns) const;

  Result<void> poll(std::uint64_t now_ns);
  // Of what windows met, as far as is known now: for the live line.
  double retained_bytes() const { return retained_bytes_; }
  const HitPrices& prices() const { return driver_.prices(); }
  double retained_blocks() const { return retained_blocks_; }
  // After the ledger's own tick, which has told all series.
  Result<void> write_tick(std::uint64_t now_ns);
  Result<void> write_retained(std::uint64_t now_ns);
  // Sorts windows that are complete into series; before the ledger's own tick, as it may add some.
  void take_windows(std::uint64_t now_ns);
  // Blocks that windows met, or that were known before, and that are not known to be dead.
  void add_live_samples(ProcessSlot slot, std::vector<reach::FollowedBlock>& blocks);
  void detach() { driver_.stop(); }

 private:
  struct Counted {  // since the last tick
    WindowsOfProcess sums;
    std::map<std::uint32_t, WindowRow> rows;
  };
  BudgetedMemory(const TracerContext& context, double percent, std::shared_ptr<OverheadShares::Part> part, const MemoryTracer& tracer,
                 const KernelLevels& kernel, MemoryLedger& ledger);
  void to_windows(ProcessSlot slot, std::uint64_t time_ns);
  void count(const WindowFacts& facts);
  void add_up_retained(std::uint64_t now_ns);
  std::uint32_t series_of(const SiteKey& site, ProcessSlot process);

  TracerContext context_;
  double percent_;
  MemoryLedger& ledger_;
  WindowDriver driver_;
  std::map<ProcessSlot, std::uint64_t> exact_until_ns_;  // of processes that are on the level of windows
  std::map<ProcessSlot, Counted> counted_;
  std::map<ProcessSlot, std::uint64_t> lasted_ns_;       // that ticks have told
  std::map<std::uint32_t, GivenUpRow> given_up_;
  std::vector<WindowFacts> waiting_;  // for stacks that are still in the ring
  std::uint64_t tick_start_ns_, added_up_ns_ = 0;
  double retained_bytes_ = 0, retained_blocks_ = 0;
  bool told_priority_ = false;
};

}  // namespace dwell::memory::windows
