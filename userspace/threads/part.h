// SPDX-License-Identifier: Apache-2.0
// What a recording holds of threads.
#pragma once

#include <vector>

#include "userspace/recording/model.h"
#include "userspace/threads/blocked_sites.h"
#include "userspace/threads/locks/waits.h"
#include "userspace/threads/look.h"
#include "userspace/threads/tick.h"

namespace dwell {

struct ThreadsPart {
  std::vector<ThreadTick> ticks;  // what became of threads, if they were followed
  LiveThreads live;               // the last that were written
  BlockedSites blocked;           // the last that were written; sums
  std::vector<ThreadLook> looks;  // in the order of time
  LockWaits lock_waits;           // the last that were written; sums
};

inline ThreadsPart& threads_of(Recording& recording) { return recording.parts.get<ThreadsPart>(); }
inline const ThreadsPart& threads_of(const Recording& recording) { return recording.parts.get<ThreadsPart>(); }

}  // namespace dwell
