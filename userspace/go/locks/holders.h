// SPDX-License-Identifier: Apache-2.0
// Who holds the locks that goroutines wait for. A sync.Mutex records no owner: it is the goroutine that will unlock it, by a
// call that it has deferred or by the code that it returns to, and has not unlocked it yet.
//
// Nothing is stopped meanwhile. A holder counts only if neither it nor who waits has run since it was found to wait, so that
// both were true at one moment. A goroutine that is running now cannot be told to hold anything.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "userspace/go/locks/code.h"
#include "userspace/go/runtime/frames.h"

namespace dwell {

struct GoLockHolder {
  std::uint64_t goroutine = 0;  // its number
  LockUse use = LockUse::kMutex;
  bool certain = false;         // else nothing else would unlock it, as far as the code can be followed
  bool deferred = false;        // by a deferred call; else by the code behind the call that it waits in
  GoCall unlocks;               // the line that will
  GoCall locked;                // the line that took it; no function if the code does not tell
  std::string state;            // "chan receive"
  GoCall at;                    // where it is, by a line of the program's own
  std::optional<std::uint64_t> waiting_ns;  // at least
  std::uint64_t waits_for = 0;              // the lock that it waits for itself
};

struct ContendedLock {
  std::uint64_t address = 0;
  std::string kind;  // "sync.Mutex"
  std::uint64_t waiters = 0;
  std::vector<std::uint64_t> examples;  // numbers of those that wait
  GoCall waits_at;                      // where most of them wait
  std::vector<GoLockHolder> holders;      // several: readers, or not certain which
  bool nobody = false;  // it is locked, those who wait have not run for some time, and no goroutine is in code that would unlock it
};

// A circle: each lock's holder waits for the next one's, the last for the first.
struct LockCircle {
  std::vector<std::size_t> locks;  // by their place in GoLockReport::locks
  bool certain = false;
};

struct GoLockReport {
  std::vector<ContendedLock> locks;  // most waited for first
  std::vector<LockCircle> circles;
  std::vector<GoCall> may_return_locked;  // where something is nobody's: functions that can return with their lock held
};

GoLockReport find_lock_holders(const GoRuntime& runtime);

// Pure. Circles among locks whose holders are known.
std::vector<LockCircle> circles_among(const std::vector<ContendedLock>& locks);

}  // namespace dwell
