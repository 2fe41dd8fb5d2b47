// SPDX-License-Identifier: Apache-2.0
// One look at all threads of a process: what was seen, not what it means.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/recording/ids.h"
#include "userspace/threads/wait_chain.h"

namespace dwell {

enum class ThreadState : std::uint8_t {
  kRunning = 0,      // on a CPU
  kReady,            // waits for nothing but a CPU
  kSleeping,         // waits, and a signal would end it
  kUninterruptible,  // waits in the kernel, and not even a signal ends it
  kStopped,          // by a signal, or by a tracer
  kEnded,            // not yet taken note of
  kStates,
};

enum class WaitKind : std::uint8_t {
  kNone = 0,  // it doesn't wait
  kMutex,
  kReadWriteLock,
  kCondition,
  kSemaphore,
  kBarrier,
  kJoin,
  kOnce,
  kFutex,  // a lock whose kind is not known
  kInput,
  kOutput,
  kConnection,  // read, write, accept or connect
  kPoll,        // poll, select, epoll
  kSleep,
  kChild,
  kFileLock,
  kSignal,
  kMessage,
  kIoRing,
  kPageFault,  // memory that is not there yet
  kKernel,     // in the kernel, without a system call of its own
  kOther,      // a system call that has no kind of its own
  kKinds,
};

struct ThreadFacts {
  Tid tid = 0;      // as we see it
  Tid own_tid = 0;  // as the process itself sees it
  std::string name;
  ThreadState state = ThreadState::kSleeping;
  WaitKind wait = WaitKind::kNone;
  bool timed = false;          // the wait ends by itself
  bool moved = false;          // it ran meanwhile: what is told of it may not be of one moment
  std::string waits_for;       // in words: "read of socket 5 to 127.0.0.1:6379"
  std::int32_t lock = -1;      // index into ThreadLook::locks, -1: none
  std::int32_t call = -1;      // number of the system call, -1: none
  std::uint64_t since_ns = 0;  // when it last ran; 0: not known
  std::uint64_t started_ns = 0;
  std::uint64_t cpu_ns = 0;
  // Of one that runs or is ready to: the CPU time that it used from the look on, without sleeping. 0: it slept, or was not watched.
  std::uint64_t busy_ns = 0, busy_over_ns = 0;
  std::uint64_t voluntary_switches = 0, involuntary_switches = 0;
  StackId stack = StackId::kUnknown;
  StackId kernel_stack = StackId::kUnknown;
  // Of a busy one, in words: what shows that it gets nowhere, and the memory that it reads each time. "": it gets on; not known.
  std::string spins = {}, spins_on = {};
  bool operator==(const ThreadFacts&) const = default;
};

enum class OwnerState : std::uint8_t {
  kUnnamed = 0,  // this kind of lock doesn't name its owner
  kNone,         // it names nobody
  kThread,       // a thread of this process
  kElsewhere,    // not of this process: of another that shares the lock, or of the parent before a fork
  kGone,         // no such thread is left
  kStates,
};

// How the words begin of what the threads of the Go runtime wait for: it has its own ways to wake them.
inline constexpr std::string_view kGoRuntimeLock = "Go runtime";

// A thread that may hold a lock which names nobody: the address of the lock lies in one of its frames, as that of what is locked does.
struct LikelyHolder {
  Tid tid = 0;
  std::string function;  // of that frame
  bool operator==(const LikelyHolder&) const = default;
};

struct LockFacts {
  std::uint64_t address = 0;  // of the object
  WaitKind kind = WaitKind::kFutex;
  std::string words;    // "mutex queue_lock (recursive, robust)"
  bool shared = false;  // with other processes
  OwnerState owner_state = OwnerState::kUnnamed;
  Tid owner = 0;            // as we see it; as the process itself sees it where no such thread is left
  std::string owner_words;  // "worker (12)", "thread 12, which has ended"; empty if there is none
  std::vector<LikelyHolder> likely = {};  // of threads that do not wait for it; only where it names no owner
  std::uint32_t readers = 0;  // that have a reader-writer lock, as it counts them
  // Threads that wait to write it, and have it to read, by the code of the function in `function`.
  std::vector<LikelyHolder> upgrading = {};
  bool operator==(const LockFacts&) const = default;
};

struct ThreadLook {
  std::uint64_t time_ns = 0;  // CLOCK_MONOTONIC
  std::uint64_t duration_ns = 0;
  ProcessSlot process = 0;
  std::vector<ThreadFacts> threads;  // by tid
  std::vector<LockFacts> locks;      // that any of them waits for
  std::optional<std::uint64_t> handled_signals = {};  // that may come: bit N - 1 for signal N; none: not known
  WaitChain chain = {};  // through other processes, where it leads in a circle; else empty
  bool operator==(const ThreadLook&) const = default;
};

}  // namespace dwell
