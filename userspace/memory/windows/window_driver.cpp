// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/windows/window_driver.h"

#include <sched.h>

#include <algorithm>
#include <chrono>

#include "userspace/base/clock.h"
#include "userspace/probes/detach_together.h"

namespace dwell::memory::windows {
namespace {

constexpr std::uint64_t kLongestSleepNs = 100'000'000;
constexpr std::uint64_t kNoticedNs = 2'000'000;  // a window was open: others may have used up their limits meanwhile

// Threads that it begins, which walk heaps, are ordinary ones.
bool become_real_time() {
  sched_param lowest{};
  lowest.sched_priority = 1;
  return ::sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &lowest) == 0;
}

}  // namespace

WindowDriver::WindowDriver(const MemoryTracer& tracer, const KernelLevels& kernel, const DriverSettings& settings, const TrapPrices& prices)
    : settings_(settings), kernel_(kernel), prices_(tracer, prices, settings.method == AttachMethod::kSession) {}

void WindowDriver::add(ProcessSlot slot, TargetSlot target, pid_t pid) {
  auto fresh = std::make_shared<DrivenProcess>(DriverParts{settings_, kernel_, prices_, trials_ns_, told_}, slot, target, pid, monotonic_ns());
  std::lock_guard lock(mutex_);
  stepped_.push_back(fresh);
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
    std::vector<std::shared_ptr<DrivenProcess>> all = stepped_;
    lock.unlock();
    std::uint64_t next = monotonic_ns() + kLongestSleepNs;
    for (const auto& one : all) {
      std::uint64_t began = monotonic_ns();
      one->set_processes(all.size());
      next = std::min(next, one->step(began));
      if (monotonic_ns() - began < kNoticedNs) continue;
      for (const auto& other : all) other->keep_up(monotonic_ns());
    }
    let_go_of_ended(all);
    std::uint64_t now = monotonic_ns();
    lock.lock();
    std::erase_if(stepped_, [](const auto& one) { return one->is_let_go(); });
    if (next > now) wake_.wait_for(lock, std::chrono::nanoseconds(next - now), [this] { return stopping_; });
  }
}

// While another one goes on: what the last ones retained at their ends is what the recording is about.
void WindowDriver::let_go_of_ended(const std::vector<std::shared_ptr<DrivenProcess>>& all) {
  if (std::ranges::all_of(all, [](const auto& one) { return one->has_ended(); })) return;
  for (const auto& one : all)
    if (one->has_ended()) one->let_go();
}

void WindowDriver::stop() {
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return;
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  std::vector<ProbeLinks*> links;
  for (auto& [slot, process] : processes_) links.push_back(process->links());
  detach_together(links);
  for (auto& [slot, process] : processes_) process->stop();
}

}  // namespace dwell::memory::windows
