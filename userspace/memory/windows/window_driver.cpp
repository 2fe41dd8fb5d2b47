// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/windows/window_driver.h"

#include <sched.h>

#include <algorithm>
#include <chrono>

#include "userspace/base/clock.h"

namespace dwell::memory::windows {
namespace {

constexpr std::uint64_t kLongestSleepNs = 100'000'000;

// Threads that it begins, which walk heaps, are ordinary ones.
bool become_real_time() {
  sched_param lowest{};
  lowest.sched_priority = 1;
  return ::sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &lowest) == 0;
}

}  // namespace

WindowDriver::WindowDriver(const MemoryTracer& tracer, const KernelLevels& kernel, const DriverSettings& settings, const TrapPrices& prices)
    : settings_(settings), kernel_(kernel), prices_(tracer, prices, settings.method == AttachMethod::kSession) {}

void WindowDriver::add(ProcessSlot slot, pid_t pid) {
  auto fresh = std::make_unique<DrivenProcess>(DriverParts{settings_, kernel_, prices_}, slot, pid, monotonic_ns());
  std::lock_guard lock(mutex_);
  stepped_.push_back(fresh.get());
  processes_.insert_or_assign(slot, std::move(fresh));
}

Result<std::vector<AttachedSite>> WindowDriver::attach(ProcessSlot slot, const std::vector<DrivenSite>& sites) {
  for (const DrivenSite& site : sites) prices_.set_probe(site.probe, site.trap, site.exit);
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  return process(slot).attach(sites);
}

void WindowDriver::run() {
  real_time_ = become_real_time();
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    std::vector<DrivenProcess*> all = stepped_;
    lock.unlock();
    std::uint64_t next = monotonic_ns() + kLongestSleepNs;
    for (DrivenProcess* one : all) next = std::min(next, one->step(monotonic_ns()));
    std::uint64_t now = monotonic_ns();
    lock.lock();
    if (next > now) wake_.wait_for(lock, std::chrono::nanoseconds(next - now), [this] { return stopping_; });
  }
}

void WindowDriver::stop() {
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return;
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  for (auto& [slot, process] : processes_) process->stop();
}

}  // namespace dwell::memory::windows
