// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/windows/thread_work.h"

#include <algorithm>

namespace dwell::memory::windows {

void ThreadWork::Thread::add(const Thread& other) {
  lasted_ns += other.lasted_ns;
  cost_ns += other.cost_ns;
  covered_ns += other.covered_ns;
}

void ThreadWork::add(std::uint64_t now_ns, std::span<const ThreadTime> threads, bool window) {
  for (auto& [tid, thread] : threads_) thread.here = false, thread.window_ns = thread.window_cost_ns = 0;
  for (const ThreadTime& one : threads) {
    auto [at, fresh] = threads_.try_emplace(one.tid);
    Thread& thread = at->second;
    thread.here = true;
    // One that was not there at the last reading has run since only.
    std::uint64_t ran_ns = one.cpu_ns - std::min(one.cpu_ns, fresh ? 0 : thread.seen_ns);
    if (begun_) thread.lasted_ns += ran_ns;
    if (window) thread.window_ns = static_cast<double>(ran_ns);
    thread.seen_ns = std::max(thread.seen_ns, one.cpu_ns);
  }
  absl::erase_if(threads_, [this](const auto& entry) {
    const Thread& thread = entry.second;
    if (!thread.here && thread.allocates) gone_.add(thread);
    return !thread.here;
  });
  window_ns_ = now_ns - last_ns_;
  if (begun_) passed_ns_ += window_ns_;
  last_ns_ = now_ns;
}

void ThreadWork::opened(std::uint64_t now_ns, std::span<const ThreadTime> threads) {
  add(now_ns, threads, false);
  begun_ = true;
}

void ThreadWork::ended(std::uint64_t now_ns, std::span<const ThreadTime> threads) { add(now_ns, threads, true); }

void ThreadWork::allocated(std::uint32_t tid, double cost_ns, bool inside) {
  auto at = threads_.find(tid);
  if (at == threads_.end()) return;  // it has begun since the last reading
  at->second.allocates = true;
  at->second.cost_ns += cost_ns;
  if (inside) at->second.window_ns -= cost_ns, at->second.window_cost_ns += cost_ns;
}

void ThreadWork::count(std::uint64_t length_ns, const Backlog& backlog) {
  elapsed_ns_ += length_ns;
  auto length = static_cast<double>(length_ns);
  for (auto& [tid, thread] : threads_) {
    double time = std::max(static_cast<double>(window_ns_) - backlog.behind_ns(tid), length);
    thread.covered_ns += thread.window_ns * length / time;
    cost_ns_ += thread.window_cost_ns * length / time;
  }
}

OwnTime ThreadWork::sum() const {
  Thread all = gone_;
  for (const auto& [tid, thread] : threads_)
    if (thread.allocates) all.add(thread);
  double lasted = static_cast<double>(all.lasted_ns) - all.cost_ns;
  return {static_cast<std::uint64_t>(std::max(all.covered_ns, 0.0)), static_cast<std::uint64_t>(std::max(lasted, 0.0)), elapsed_ns_, passed_ns_,
          static_cast<std::uint64_t>(cost_ns_)};
}

}  // namespace dwell::memory::windows
