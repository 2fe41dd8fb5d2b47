// SPDX-License-Identifier: Apache-2.0
// What was seen of a Go program: its goroutines, its profiles, its collector. What was seen, not what it
// means.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace dwell {

enum class GoStackState : std::uint8_t {
  kWhole,    // every frame, up to where the goroutine was started
  kRunning,  // on a processor: its registers are not in memory
  kMoved,    // it ran while it was looked at, each time
  kBroken,   // no table tells how it goes on
  kTooMany,  // there are too many different stacks to tell each
};
inline constexpr std::uint8_t kGoStackStates = 5;

struct LookFigures {
  std::uint64_t listed = 0;  // entries of the runtime's list, ended goroutines included
  std::uint64_t alive = 0;
  std::uint64_t torn = 0;    // times that one had moved when it was read, and was read again
  std::uint64_t moved = 0;   // goroutines that moved each time
  std::uint64_t broken = 0;  // stacks that no table could tell
  std::uint64_t unreadable = 0;
  bool operator==(const LookFigures&) const = default;
};

using GoLabels = std::vector<std::pair<std::string, std::string>>;  // sorted by key

struct GoChannel {
  std::uint64_t address = 0;
  bool sends = false;  // what this goroutine wants of it; else it receives
  std::uint64_t length = 0, capacity = 0;
  bool closed = false;
  std::uint32_t receivers = 0,
                senders = 0;  // goroutines that wait there, this one included; at most kMostWaiters
  std::optional<std::uint64_t> fires_at_ns;  // a timer's channel: CLOCK_MONOTONIC
  static constexpr std::uint32_t kMostWaiters = 1000;
  bool operator==(const GoChannel&) const = default;
};

struct GoLock {
  std::string kind;  // "sync.Mutex"; "" if it is a semaphore of an unknown kind
  std::uint64_t address = 0;
  std::string state;  // "locked, 3 wait", in words
  bool operator==(const GoLock&) const = default;
};

struct GoDescriptor {
  int fd = -1;
  bool writes = false;
  std::string words;  // what it is
  bool operator==(const GoDescriptor&) const = default;
};

struct GoWait {
  std::vector<GoChannel> channels;  // several: select
  std::size_t more_channels = 0;    // cases that are not listed
  std::optional<GoLock> lock;
  std::optional<GoDescriptor> descriptor;
  std::optional<std::uint64_t> until_ns;  // a sleep's end, CLOCK_MONOTONIC
  bool operator==(const GoWait&) const = default;
};

// One of a group, looked at closely.
struct GoroutineExample {
  std::uint64_t id = 0, parent = 0;
  std::uint64_t thread = 0;                     // id of the thread that runs it; 0: none
  std::optional<std::uint64_t> waiting_for_ns;  // at least
  GoWait wait;
  GoLabels labels;
  bool operator==(const GoroutineExample&) const = default;
};

struct HeapCounts {
  std::int64_t in_use_objects = 0, in_use_bytes = 0;
  std::int64_t allocated_objects = 0, allocated_bytes = 0;
  bool operator==(const HeapCounts&) const = default;
};

struct CollectorPause {
  std::uint64_t end_unix_ns = 0, ns = 0;
  bool operator==(const CollectorPause&) const = default;
};

struct Collector {
  std::uint32_t cycles = 0, forced = 0;
  std::uint64_t pauses_ns = 0;          // of all cycles
  double cpu_share = 0;                 // of all the CPU time that the program could have had since it began
  std::vector<CollectorPause> last;     // at most 256, the latest first
  std::optional<std::int32_t> percent;  // GOGC; -1: off
  std::optional<std::int64_t> limit;    // GOMEMLIMIT, if there is one
  std::optional<std::uint64_t> live_bytes;  // marked by the last collection
  std::optional<std::uint64_t> heap_bytes;  // now, garbage included
  std::optional<std::uint64_t> goal_bytes;  // at which the next collection ends, by GOGC alone
  bool operator==(const Collector&) const = default;
};

}  // namespace dwell
