// SPDX-License-Identifier: Apache-2.0
// For how long threads waited for locks since the recording began, where, and who released them; and for how
// long those that had waited then held them: as a recording holds it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "userspace/threads/tick.h"

namespace dwell {

enum class LockWaitEnd : std::uint8_t {
  kUnknown = 0,  // a timeout, a signal; or nobody was seen to wake it up
  kReleased,     // by a thread of a process that is recorded
  kOutside,      // by a thread of another process
  kEnds,
};

// Waits of threads at one place, for one futex, that ended in one way; those that ended while it was recorded.
struct LockWait {
  ThreadSite site;
  std::uint64_t futex = 0;
  bool relative = false;  // as locks wait, not what waits until a time
  LockWaitEnd end = LockWaitEnd::kUnknown;
  ThreadSite holder;      // of kReleased: where it was released
  std::uint64_t ns = 0, times = 0, longest_ns = 0;
  bool operator==(const LockWait&) const = default;
};

// How often and for how long threads held a lock: those that had waited for it, from there until they
// released it; those that took it free and had others wait for it, from the first wait until they released
// it.
struct LockHold {
  ThreadSite site;  // where it was taken; of at_least: where it was released
  std::uint64_t futex = 0;
  bool at_least = false;  // it was taken free, nobody knows when
  std::uint64_t ns = 0, times = 0, longest_ns = 0;
  bool operator==(const LockHold&) const = default;
};

using LockPlace = std::pair<ProcessSlot, std::uint64_t>;  // the futex

struct LockWaits {
  std::uint64_t time_ns = 0;
  std::vector<LockWait> waits;
  std::map<LockPlace, std::string> names;  // of those that are, or lie in, a global variable
  std::vector<LockHold> holds;
  bool operator==(const LockWaits&) const = default;
};

}  // namespace dwell
