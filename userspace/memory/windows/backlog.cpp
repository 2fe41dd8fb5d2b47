// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/windows/backlog.h"

#include <algorithm>

namespace dwell::memory::windows {

std::uint64_t Backlog::add(std::uint32_t tid, std::uint64_t time_ns, std::uint32_t sleeps) {
  if (time_ns < open_ns_) return kBefore;
  auto [at, fresh] = threads_.try_emplace(tid, Thread{open_ns_, sleeps, 0});
  Thread& thread = at->second;
  auto passed = static_cast<double>(time_ns - std::min(time_ns, thread.last_ns));
  thread.behind_ns += std::min(cost_ns_, passed);
  if (sleeps != thread.sleeps) thread.behind_ns -= std::clamp(passed - cost_ns_, 0.0, thread.behind_ns);
  thread.last_ns = std::max(time_ns, thread.last_ns);
  thread.sleeps = sleeps;
  most_ = std::max(most_, thread.behind_ns);
  return time_ns - open_ns_ - static_cast<std::uint64_t>(std::min(thread.behind_ns, static_cast<double>(time_ns - open_ns_)));
}

double Backlog::behind_ns(std::uint32_t tid) const {
  auto at = threads_.find(tid);
  return at == threads_.end() ? 0 : at->second.behind_ns;
}

}  // namespace dwell::memory::windows
