// SPDX-License-Identifier: Apache-2.0
// What happened to the threads of each creating site within one tick.
#pragma once

#include <compare>
#include <cstdint>
#include <vector>

#include "userspace/recording/ids.h"

namespace dwell {

struct ThreadSite {
  ProcessSlot process = 0;
  StackId stack = StackId::kUnknown;
  std::uint32_t routine = 0;  // what the thread runs: index of the location + 1; 0: not known
  auto operator<=>(const ThreadSite&) const = default;
};

struct ThreadSiteChange {
  ThreadSite site;
  std::uint64_t created = 0, ended = 0;
  // Ended threads that are to be joined: those that became so, less those that were joined afterwards.
  std::int64_t unjoined = 0;
  bool operator==(const ThreadSiteChange&) const = default;
};

struct ThreadTick {
  std::uint64_t start_ns = 0, end_ns = 0;
  std::vector<ThreadSiteChange> changes;  // sites of which there is something to say
  bool operator==(const ThreadTick&) const = default;
};

struct LiveThread {
  ThreadSite site;
  Tid tid = 0;
  std::uint64_t birth_ns = 0;
  bool operator==(const LiveThread&) const = default;
};

struct LiveThreads {
  std::uint64_t time_ns = 0;
  std::vector<LiveThread> threads;
  bool operator==(const LiveThreads&) const = default;
};

}  // namespace dwell
