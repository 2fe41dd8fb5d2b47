// SPDX-License-Identifier: Apache-2.0
// The locks of package sync, by the function that waits for them.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "userspace/go/runtime/frames.h"

namespace dwell {

struct LockKind {
  std::string_view function, kind;
  std::uint64_t semaphore;  // where what the runtime waits on stands in it
};

inline constexpr LockKind kLockKinds[] = {
    {"sync.(*RWMutex).RLock", "sync.RWMutex", 12},   {"sync.(*RWMutex).Lock", "sync.RWMutex", 8},
    {"sync.(*WaitGroup).Wait", "sync.WaitGroup", 8}, {"sync.(*Mutex).Lock", "sync.Mutex", 4},
    {"sync.(*Mutex).lockSlow", "sync.Mutex", 4},     {"internal/sync.(*Mutex).lockSlow", "sync.Mutex", 4},
};
// A writer waits for the other writers first, by the mutex that an RWMutex begins with.
inline constexpr LockKind kWritersKind = {"sync.(*RWMutex).Lock", "sync.RWMutex", 4};

inline bool is_mutex(const LockKind& kind) { return kind.kind == "sync.Mutex" || kind.kind == "sync.RWMutex"; }

// Pure. By the calls of a goroutine that waits, innermost first; null if it waits for no lock.
inline const LockKind* lock_kind(std::span<const GoCall> calls) {
  const LockKind* innermost = nullptr;
  for (const GoCall& call : calls) {
    for (const LockKind& kind : kLockKinds) {
      if (call.function != kind.function) continue;
      bool of_writers = innermost && innermost->kind == "sync.Mutex" && kind.function == kWritersKind.function;
      if (of_writers) return &kWritersKind;
      if (!innermost) innermost = &kind;
    }
    if (innermost && !call.function.starts_with("sync.") && !call.function.starts_with("internal/sync.")) break;
  }
  return innermost;
}

}  // namespace dwell
