// SPDX-License-Identifier: Apache-2.0
// WindowDriver: keeps the processes of a recording within the budget, from a thread of its own: the recorder's thread may be
// busy for longer than a window lasts. It has real-time priority where that is allowed: a thread that is preempted while
// probes are on lets them cost more than was meant.
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "userspace/memory/tracer.h"
#include "userspace/memory/windows/driven_process.h"

namespace dwell::memory::windows {

class WindowDriver {
 public:
  // `tracer` outlives it.
  WindowDriver(const MemoryTracer& tracer, const KernelLevels& kernel, const DriverSettings& settings, const TrapPrices& prices);
  ~WindowDriver() { stop(); }

  void add(ProcessSlot slot, TargetSlot target, pid_t pid);
  DrivenProcess& process(ProcessSlot slot) { return *processes_.at(slot); }
  const std::map<ProcessSlot, std::shared_ptr<DrivenProcess>>& processes() const { return processes_; }

  // Attaches where the process's level wants it. The thread begins with the first call.
  Result<std::vector<AttachedSite>> attach(ProcessSlot slot, const std::vector<DrivenSite>& sites);

  // The last looks are made, and nothing is attached any more.
  void stop();

  bool real_time() const { return real_time_; }
  const HitPrices& prices() const { return prices_; }

 private:
  void run();
  static void let_go_of_ended(const std::vector<std::shared_ptr<DrivenProcess>>& all);

  DriverSettings settings_;
  KernelLevels kernel_;
  HitPrices prices_;
  std::atomic<int> told_ = 0;
  std::uint64_t trials_ns_ = 0;  // of the recorder's thread: how long prices were tried, in all processes
  std::map<ProcessSlot, std::shared_ptr<DrivenProcess>> processes_;  // added by the recorder's thread
  std::mutex mutex_;                                                 // of stepped_ and stopping_
  std::condition_variable wake_;
  std::vector<std::shared_ptr<DrivenProcess>> stepped_;  // but those that were let go
  bool stopping_ = false;
  std::atomic<bool> real_time_ = false;
  std::thread thread_;  // last: it uses all of the others
};

}  // namespace dwell::memory::windows
