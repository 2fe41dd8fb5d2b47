// SPDX-License-Identifier: Apache-2.0
// Which kind of lock a futex belongs to, told by the functions that the waiting thread is in. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace dwell {

enum class LockFamily : std::uint8_t {
  kUnknown,
  kMutex,        // pthread_mutex_t, and what is built on it: std::mutex
  kReadLock,     // pthread_rwlock_t, to read
  kWriteLock,    // the same, to write
  kCondition,    // pthread_cond_t
  kSemaphore,    // sem_t
  kBarrier,      // pthread_barrier_t
  kJoin,         // the id of a thread that is to end
  kOnce,         // pthread_once_t
  kGuard,        // a static local of C++ that another thread initializes
  kLibraryLock,  // a lock inside the C library that has no owner: of malloc, say
  kAtomicWait,   // std::atomic::wait and what is built on it
  kRustMutex,
  kRustReadLock,   // Rust's RwLock, to read
  kRustWriteLock,  // Rust's RwLock, to write
  kRustCondition,
  kRustPark,
  kGo,  // the Go runtime, for all of its own
};

// `functions` leaf first. `relative`: the futex call was the oldest one, as locks use, not waits until a
// time.
LockFamily family_of(std::span<const std::string_view> functions, bool relative);

// "_" and "GI_" in front of a name of the C library say nothing: "__GI___pthread_mutex_lock" is
// pthread_mutex_lock.
std::string_view public_name(std::string_view function);

// Of a reader-writer lock, of whichever library.
constexpr bool is_to_read(LockFamily family) { return family == LockFamily::kReadLock || family == LockFamily::kRustReadLock; }
constexpr bool is_to_write(LockFamily family) { return family == LockFamily::kWriteLock || family == LockFamily::kRustWriteLock; }

}  // namespace dwell
