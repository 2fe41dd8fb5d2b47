// SPDX-License-Identifier: Apache-2.0
// ThreadLedger: which threads were created where, and what became of them. Pure: no file, no clock.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "userspace/threads/tick.h"
#include "userspace/recording/ids.h"

namespace dwell {

// How its creator said that a thread is to end.
enum class ThreadEnd : std::uint8_t { kUnknown, kToBeJoined, kDetached };

struct ThreadCreated {
  std::uint64_t time_ns;
  ProcessSlot process;
  Tid tid;
  ThreadEnd end;
  std::uint64_t thread_pointer;
  StackId stack;              // of the creator
  std::uint32_t routine = 0;  // ThreadSite::routine
};

class ThreadLedger {
 public:
  explicit ThreadLedger(std::uint64_t start_ns) : tick_start_ns_(start_ns) {}

  void created(const ThreadCreated& thread);
  // Joined or detached, which is the same to us: somebody has taken care of its stack.
  void settled(ProcessSlot process, std::uint64_t thread_pointer);
  void ended(std::uint64_t time_ns, ProcessSlot process, Tid tid);
  // All threads of the process are gone, and with them what nobody had joined.
  void process_ended(ProcessSlot process);

  // What changed since the last tick, by site.
  ThreadTick take_tick(std::uint64_t now_ns);
  std::vector<LiveThread> live_threads() const;
  std::size_t live_count() const { return live_.size(); }

 private:
  struct Thread {
    std::uint64_t birth_ns, thread_pointer;
    ThreadSite site;
    bool to_be_joined, settled;
  };
  using Key = std::pair<ProcessSlot, std::uint64_t>;
  ThreadSiteChange& change(const ThreadSite& site);

  std::uint64_t tick_start_ns_;
  absl::flat_hash_map<Key, Thread> live_;  // by thread id
  absl::flat_hash_map<Key, std::uint64_t>
      pointers_;  // thread pointer to the id of the live thread that has it
  // Ended, and nobody has joined it so far; by thread pointer.
  absl::flat_hash_map<Key, ThreadSite> unjoined_;
  std::map<ThreadSite, ThreadSiteChange> changes_;
};

}  // namespace dwell
