// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/ledger.h"

#include <algorithm>

namespace dwell {

ThreadSiteChange& ThreadLedger::change(const ThreadSite& site) {
  ThreadSiteChange& change = changes_[site];
  change.site = site;
  return change;
}

void ThreadLedger::created(const ThreadCreated& thread) {
  // The end of the one that had the number before was not seen.
  ended(thread.time_ns, thread.process, thread.tid);
  ThreadSite site{thread.process, thread.stack, thread.routine};
  bool to_be_joined = thread.end == ThreadEnd::kToBeJoined;
  live_[{thread.process, thread.tid}] = {thread.time_ns, thread.thread_pointer, site, to_be_joined, false};
  pointers_[{thread.process, thread.thread_pointer}] = thread.tid;
  // Its stack was given to the new thread, so somebody had joined the old one, unseen.
  if (auto old = unjoined_.find({thread.process, thread.thread_pointer}); old != unjoined_.end()) {
    --change(old->second).unjoined;
    unjoined_.erase(old);
  }
  ++change(site).created;
}

void ThreadLedger::settled(ProcessSlot process, std::uint64_t thread_pointer) {
  Key pointer{process, thread_pointer};
  if (auto over = unjoined_.find(pointer); over != unjoined_.end()) {
    --change(over->second).unjoined;
    unjoined_.erase(over);
    return;
  }
  auto tid = pointers_.find(pointer);
  if (tid == pointers_.end()) return;
  if (auto thread = live_.find({process, tid->second}); thread != live_.end()) thread->second.settled = true;
}

void ThreadLedger::ended(std::uint64_t, ProcessSlot process, Tid tid) {
  auto found = live_.find({process, tid});
  if (found == live_.end()) return;
  Thread thread = found->second;
  live_.erase(found);
  Key pointer{process, thread.thread_pointer};
  if (auto known = pointers_.find(pointer); known != pointers_.end() && known->second == tid)
    pointers_.erase(known);
  ThreadSiteChange& changed = change(thread.site);
  ++changed.ended;
  if (!thread.to_be_joined || thread.settled) return;
  ++changed.unjoined;
  unjoined_[pointer] = thread.site;
}

void ThreadLedger::process_ended(ProcessSlot process) {
  std::vector<Tid> tids;
  for (const auto& [key, thread] : live_)
    if (key.first == process) tids.push_back(static_cast<Tid>(key.second));
  for (Tid tid : tids) {
    live_[{process, tid}].settled = true;  // nothing of it stays
    ended(0, process, tid);
  }
  absl::erase_if(unjoined_, [&](const auto& entry) { return entry.first.first == process; });
}

ThreadTick ThreadLedger::take_tick(std::uint64_t now_ns) {
  ThreadTick tick{tick_start_ns_, now_ns, {}};
  for (const auto& [site, change] : changes_) tick.changes.push_back(change);
  changes_.clear();
  tick_start_ns_ = now_ns;
  return tick;
}

std::vector<LiveThread> ThreadLedger::live_threads() const {
  std::vector<LiveThread> threads;
  for (const auto& [key, thread] : live_)
    threads.push_back({thread.site, static_cast<Tid>(key.second), thread.birth_ns});
  std::ranges::sort(threads, {},
                    [](const LiveThread& thread) { return std::pair(thread.site.process, thread.tid); });
  return threads;
}

}  // namespace dwell
