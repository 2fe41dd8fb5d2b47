// SPDX-License-Identifier: Apache-2.0
// What a goroutine is about, in the runtime's words: "running", "chan receive".
#pragma once

#include <string>

#include "userspace/go/goroutines/goroutine.h"
#include "userspace/go/runtime/runtime.h"

namespace dwell {

inline std::string goroutine_state(const GoRuntime& runtime, const Goroutine& goroutine) {
  switch (goroutine.status) {
    case GoStatus::kRunnable: return "runnable";
    case GoStatus::kRunning: return "running";
    case GoStatus::kSyscall: return "syscall";
    case GoStatus::kCopyStack: return "copystack";
    case GoStatus::kPreempted: return "preempted";
    case GoStatus::kWaiting:
    case GoStatus::kLeaked: {
      const std::string& words = runtime.wait_reason(goroutine.wait_reason);
      return words.empty() ? "waiting" : words;
    }
    default: return "unknown";
  }
}

}  // namespace dwell
