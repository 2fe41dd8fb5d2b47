// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/lock_kinds.h"

#include <optional>
#include <string>

namespace dwell {
namespace {

struct Known {
  std::string_view start;
  LockFamily family;
};

// By the beginning of the function's public name; the longer one first where two begin alike.
constexpr Known kFunctions[] = {
    {"pthread_mutex_cond_lock", LockFamily::kMutex},
    {"pthread_mutex_", LockFamily::kMutex},
    {"pthread_rwlock_rd", LockFamily::kReadLock},
    {"pthread_rwlock_timedrd", LockFamily::kReadLock},
    {"pthread_rwlock_clockrd", LockFamily::kReadLock},
    {"pthread_rwlock_wr", LockFamily::kWriteLock},
    {"pthread_rwlock_timedwr", LockFamily::kWriteLock},
    {"pthread_rwlock_clockwr", LockFamily::kWriteLock},
    {"pthread_cond_", LockFamily::kCondition},
    {"sem_wait", LockFamily::kSemaphore},
    {"sem_timedwait", LockFamily::kSemaphore},
    {"sem_clockwait", LockFamily::kSemaphore},
    {"new_sem_wait", LockFamily::kSemaphore},
    {"pthread_barrier_wait", LockFamily::kBarrier},
    {"pthread_join", LockFamily::kJoin},
    {"pthread_timedjoin", LockFamily::kJoin},
    {"pthread_clockjoin", LockFamily::kJoin},
    {"pthread_once", LockFamily::kOnce},
    {"cxa_guard_acquire", LockFamily::kGuard},
    {"lll_lock_wait_private", LockFamily::kLibraryLock},
    {"std::__atomic_wait", LockFamily::kAtomicWait},
    {"std::__detail::__atomic_wait", LockFamily::kAtomicWait},
    {"std::atomic_wait", LockFamily::kAtomicWait},
    {"runtime.futex", LockFamily::kGo},
};

// Rust's own locks stand in modules whose names have changed over time:
// "std::sys::sync::mutex::futex::Mutex:: lock_contended", before that
// "std::sys::unix::locks::futex_mutex::Mutex::lock_contended"; and types have angles around them since 1.94:
// "<std::sys::sync::mutex::futex::Mutex>::lock_contended".
std::optional<LockFamily> rust_family(std::string_view name) {
  std::string function(name);
  if (name.starts_with("<")) std::erase_if(function, [](char c) { return c == '<' || c == '>'; });
  if (!function.starts_with("std::") || function.find("futex") == function.npos) {
    if (function.starts_with("std::thread::park")) return LockFamily::kRustPark;
    return std::nullopt;
  }
  if (function.find("RwLock::write") != function.npos) return LockFamily::kRustWriteLock;
  if (function.find("RwLock::") != function.npos) return LockFamily::kRustReadLock;
  if (function.find("Mutex::lock") != function.npos) return LockFamily::kRustMutex;
  if (function.find("Condvar::") != function.npos) return LockFamily::kRustCondition;
  if (function.find("Parker::park") != function.npos) return LockFamily::kRustPark;
  return std::nullopt;
}

}  // namespace

std::string_view public_name(std::string_view function) {
  for (;;) {
    if (function.starts_with("_"))
      function.remove_prefix(1);
    else if (function.starts_with("GI_"))
      function.remove_prefix(3);
    else
      return function;
  }
}

LockFamily family_of(std::span<const std::string_view> functions, bool relative) {
  bool library_lock = false;
  for (std::string_view function : functions) {
    if (std::optional<LockFamily> rust = rust_family(function)) return *rust;
    std::string_view name = public_name(function);
    for (const Known& known : kFunctions) {
      if (!name.starts_with(known.start) && !function.starts_with(known.start)) continue;
      // Under a public function that is a lock of another kind: go on and see which.
      if (known.family == LockFamily::kLibraryLock) {
        library_lock = true;
        break;
      }
      // Who was woken takes the mutex again before the call returns.
      if (known.family == LockFamily::kCondition && relative) return LockFamily::kMutex;
      return known.family;
    }
  }
  return library_lock ? LockFamily::kLibraryLock : LockFamily::kUnknown;
}

}  // namespace dwell
