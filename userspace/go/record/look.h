// SPDX-License-Identifier: Apache-2.0
// What was seen of a Go program: its goroutines, its profiles, its collector. What was seen, not what it
// means.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "userspace/process/cpu_time.h"
#include "userspace/recording/ids.h"

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
  std::optional<std::uint64_t> idle_bytes;  // of the heap's memory: used for nothing, and not given back to the kernel
  std::optional<std::uint64_t> group_limit, group_in_use;  // of the process's control group, if that has a limit
  std::optional<WantedCpuTime> cpu;  // of its threads
  bool operator==(const Collector&) const = default;
};

// A stack as Go tells it: so many of the calls of its locations, innermost first, and whether Go's own
// tracebacks leave each out.
struct GoStack {
  StackId stack = StackId::kUnknown;
  std::vector<bool> hidden;  // by call
  bool operator==(const GoStack&) const = default;
};

// Goroutines with the same state, stack and creator.
struct GoGroup {
  std::uint64_t count = 0;
  std::string state;  // "running", or in the runtime's own words why it waits: "chan receive"
  GoStackState stack_state = GoStackState::kWhole;
  bool waits = false, stuck = false, of_runtime = false;
  bool abandoned = false;  // they wait only for lost contexts
  std::uint64_t without_time = 0;  // of them: no collection has seen them wait
  std::optional<std::uint64_t> longest_wait_ns, shortest_wait_ns;  // at least
  GoStack stack;
  GoStack creator;  // the call that started them; none for the first goroutine and for threads that C made
  std::vector<GoroutineExample> examples;
  std::vector<std::pair<GoLabels, std::uint64_t>> labels;  // how many have these labels; the rest has none
  bool operator==(const GoGroup&) const = default;
};

// Goroutines that wait inside the program, and of which a proof says nothing.
struct GoNotJudged {
  std::uint64_t conditions = 0;    // on a sync.Cond, before Go 1.26
  std::uint64_t global_locks = 0;  // for a lock that a global variable leads to: whoever runs might unlock it
  std::uint64_t shared_locks = 0;  // for a lock in a block of memory that other small objects share
  bool any() const { return conditions || global_locks || shared_locks; }
  bool operator==(const GoNotJudged&) const = default;
};

struct GoStuck {
  std::vector<std::uint64_t> goroutines;  // numbers of those that can never wake, ascending
  bool proved = false;                    // else they are very likely stuck
  std::string reservation;                // why it is not proved
  int looks = 0;
  std::uint64_t candidates = 0;    // that waited for a channel or a lock
  std::uint64_t copied_bytes = 0;  // at the last look
  std::uint64_t took_ns = 0;       // the pauses left out
  // Numbers of those that wait only for contexts that nothing can cancel but a parent's end, ascending.
  std::vector<std::uint64_t> abandoned = {};
  GoNotJudged not_judged = {};
  bool operator==(const GoStuck&) const = default;
};

// One look at all goroutines of a process.
struct GoLook {
  std::uint64_t time_ns = 0, duration_ns = 0, time_unix_ns = 0;
  ProcessSlot process = 0;
  std::string version, module;  // what the runtime calls itself, and the file that it is in
  std::string note;             // why the layout of its structures is not that of the version
  LookFigures figures;
  std::string no_heap;  // why there is no profile of its heap, if one was looked for
  std::optional<Collector> collector;
  std::optional<GoStuck> stuck;
  std::vector<GoGroup> groups;
  bool operator==(const GoLook&) const = default;
};

// The runtime's own profiles, as it numbers them.
enum class GoProfileKind : std::uint8_t { kHeap = 1, kBlock = 2, kMutex = 3 };

// What the runtime counts together: one stack, for the heap of one size.
struct GoBucket {
  ProcessSlot process = 0;
  GoProfileKind kind = GoProfileKind::kHeap;
  std::uint64_t object_bytes = 0;
  GoStack stack;
  bool operator==(const GoBucket&) const = default;
};

// Sums since the program began, not scaled. Of the heap: objects and bytes in use, objects and bytes
// allocated. Of waits: how many, and ticks.
struct GoBucketRow {
  std::uint32_t bucket = 0;
  std::array<std::int64_t, 4> values{};
  // Of the heap, whose figures are those of the last collection: objects and bytes allocated since.
  std::array<std::int64_t, 2> pending{};
  bool operator==(const GoBucketRow&) const = default;
};

struct GoProfileLook {
  std::uint64_t time_ns = 0;
  ProcessSlot process = 0;
  GoProfileKind kind = GoProfileKind::kHeap;
  std::uint64_t rate = 0;              // what the program set: of the heap, one sample in so many bytes
  std::uint64_t ticks_per_second = 0;  // of waits
  std::vector<GoBucketRow> rows;       // those that have changed since the look before
  bool operator==(const GoProfileLook&) const = default;
};

}  // namespace dwell
