// SPDX-License-Identifier: Apache-2.0
// What a recording is of, across subjects.
#pragma once

#include "userspace/go/part.h"
#include "userspace/memory/part.h"
#include "userspace/threads/part.h"

namespace dwell {

// One look that was kept, and nothing else: it reads as it did when it was taken.
inline bool one_look_at_threads(const Recording& recording) {
  return !threads_of(recording).looks.empty() && memory_of(recording).ticks.empty();
}
inline bool one_look_at_go(const Recording& recording) {
  return !go_of(recording).looks.empty() && memory_of(recording).ticks.empty();
}

}  // namespace dwell
