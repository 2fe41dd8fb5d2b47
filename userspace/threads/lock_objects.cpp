// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/lock_objects.h"

#include <fmt/core.h>
#include <linux/futex.h>

#include <algorithm>
#include <cstddef>
#include <optional>

namespace dwell {
namespace {

// pthread_mutex_t
struct Mutex {
  std::uint32_t lock, count, owner, users;
  std::uint32_t kind;
};
constexpr std::uint32_t kTypeMask = 3, kRecursive = 1, kErrorChecking = 2, kAdaptive = 3;
constexpr std::uint32_t kRobust = 16, kInherits = 32, kProtects = 64, kMutexShared = 128,
                        kKnownMutexBits = 0x3ff;

struct MuslMutex {
  std::uint32_t type, lock, waiters;
};
constexpr std::uint32_t kMuslShared = 128;

// pthread_rwlock_t
struct ReadWriteLock {
  std::uint32_t readers, writers, write_phase_futex, writers_futex, unused[2];
  std::uint32_t writer, shared;
};
constexpr std::uint32_t kReadersWait = 4;
constexpr int kReadersShift = 3;

// pthread_barrier_t
struct Barrier {
  std::uint32_t in, round, count, shared;
};
constexpr std::uint64_t kRoundAt = 4;

// sem_t
struct Semaphore {
  std::uint32_t value, waiters, is_private;
};

constexpr std::uint64_t kConditionSignalsAt = 40;  // two words, one for each group of waiters
constexpr std::uint64_t kThreadStructSize = 0x1000;

// The lock of a FILE.
struct StreamLock {
  std::uint32_t lock, count;
  std::uint64_t owner;  // its thread pointer
};

template <typename T>
std::optional<T> read_value(const MemoryReader& read, std::uint64_t address) {
  T value;
  if (!read(address, &value, sizeof value)) return std::nullopt;
  return value;
}

void add(std::string& list, std::string_view item) {
  if (!list.empty()) list += ", ";
  list += item;
}

// A robust mutex always has the mark of a shared one.
bool is_shared(const Mutex& mutex) { return (mutex.kind & (kMutexShared | kRobust)) == kMutexShared; }

std::string mutex_details(const Mutex& mutex) {
  std::string details;
  if ((mutex.kind & kTypeMask) == kRecursive) add(details, "recursive");
  if ((mutex.kind & kTypeMask) == kErrorChecking) add(details, "error-checking");
  if ((mutex.kind & kTypeMask) == kAdaptive) add(details, "adaptive");
  if (mutex.kind & kRobust) add(details, "robust");
  if (mutex.kind & kInherits) add(details, "priority-inheriting");
  if (mutex.kind & kProtects) add(details, "priority-protected");
  if (is_shared(mutex)) add(details, "shared between processes");
  if ((mutex.kind & kTypeMask) == kRecursive && mutex.count > 1)
    add(details, fmt::format("taken {} times", mutex.count));
  if (mutex.kind & kRobust && mutex.lock & FUTEX_OWNER_DIED) add(details, "its owner died with it");
  return details;
}

// musl's has its kind in front of the lock word; the plain kind keeps no owner.
void read_musl_mutex(LockObject& lock, const MemoryReader& read) {
  lock.address = lock.futex - 4;
  std::optional<MuslMutex> mutex = read_value<MuslMutex>(read, lock.address);
  if (!mutex) return;
  lock.shared = mutex->type & kMuslShared;
  lock.names_owner = mutex->type & kTypeMask;
  if (lock.names_owner)
    lock.owner = mutex->lock & FUTEX_TID_MASK;
  else
    lock.details = "which names no owner";
}

void read_mutex(LockObject& lock, const MemoryReader& read) {
  lock.kind = WaitKind::kMutex;
  lock.kind_words = "mutex";
  if (lock.futex % 8) return read_musl_mutex(lock, read);
  std::optional<Mutex> mutex = read_value<Mutex>(read, lock.address);
  if (!mutex || mutex->kind & ~kKnownMutexBits) {
    add(lock.details, "not a valid mutex any more");
    return;
  }
  lock.details = mutex_details(*mutex);
  lock.shared = is_shared(*mutex);
  lock.names_owner = true;
  // Where the kernel must know the owner, it is told in the lock word itself.
  lock.owner = mutex->kind & (kRobust | kInherits) ? mutex->lock & FUTEX_TID_MASK : mutex->owner;
}

// A reader waits for the end of a write phase, or for writers that go first; a writer for the end of a read
// phase, or for the writer before it.
std::uint64_t read_write_lock_around(std::uint64_t futex, LockFamily family, const MemoryReader& read) {
  if (futex % 8) return futex - offsetof(ReadWriteLock, writers_futex);
  std::optional<std::uint32_t> word = read_value<std::uint32_t>(read, futex);
  bool word_counts_readers = family == LockFamily::kReadLock && word && *word & kReadersWait;
  return word_counts_readers ? futex : futex - offsetof(ReadWriteLock, write_phase_futex);
}

void read_read_write_lock(LockObject& lock, const MemoryReader& read) {
  lock.kind = WaitKind::kReadWriteLock;
  lock.kind_words = "rwlock";
  lock.address = read_write_lock_around(lock.futex, lock.family, read);
  std::optional<ReadWriteLock> object = read_value<ReadWriteLock>(read, lock.address);
  if (!object) return;
  lock.shared = object->shared & 0xff;
  std::uint32_t readers = object->readers >> kReadersShift;
  // Waiting readers are counted too while a writer has it.
  if (object->writer) {
    lock.names_owner = true;
    lock.owner = object->writer;
  } else if (readers) {
    lock.readers = readers;
    lock.details =
        fmt::format("held by {} reader{}, which it doesn't name", readers, readers == 1 ? "" : "s");
  }
}

// std::sys::sync::rwlock::futex::RwLock: readers wait on the word that counts them, writers on the one behind it.
void read_rust_read_write_lock(LockObject& lock, const MemoryReader& read) {
  constexpr std::uint32_t kCount = (1u << 30) - 1, kWriteLocked = kCount;
  lock.kind = WaitKind::kReadWriteLock;
  lock.kind_words = "Rust RwLock";
  if (lock.family == LockFamily::kRustWriteLock) lock.address -= sizeof(std::uint32_t);
  std::uint32_t count = read_value<std::uint32_t>(read, lock.address).value_or(0) & kCount;
  if (!count || count == kWriteLocked) return;
  lock.readers = count;
  lock.details = fmt::format("held by {} reader{}, which it doesn't name", count, count == 1 ? "" : "s");
}

void read_barrier(LockObject& lock, const MemoryReader& read) {
  lock.kind = WaitKind::kBarrier;
  lock.kind_words = "barrier";
  lock.address = lock.futex - kRoundAt;
  std::optional<Barrier> barrier = read_value<Barrier>(read, lock.address);
  if (!barrier) return;
  lock.shared = barrier->shared;
  lock.details = fmt::format("{} of {} have come", barrier->in - barrier->round, barrier->count);
}

void read_semaphore(LockObject& lock, const MemoryReader& read) {
  lock.kind = WaitKind::kSemaphore;
  lock.kind_words = "semaphore";
  if (std::optional<Semaphore> semaphore = read_value<Semaphore>(read, lock.address))
    lock.details = fmt::format("value {}, {} waiting", semaphore->value, semaphore->waiters);
}

void read_join(LockObject& lock, const MemoryReader& read) {
  lock.kind = WaitKind::kJoin;
  lock.kind_words = "end of a thread";
  lock.names_owner = true;
  lock.owner = read_value<std::uint32_t>(read, lock.futex).value_or(0);
}

// The thread whose struct pthread holds that word, if it is its id: pthread_join waits for the kernel to
// clear it.
bool is_id_of_a_thread(std::uint64_t futex, std::span<const ThreadIdentity> threads,
                       const MemoryReader& read) {
  auto holds_it = [&](const ThreadIdentity& thread) {
    if (futex - thread.thread_pointer >= kThreadStructSize) return false;
    return read_value<std::uint32_t>(read, futex) == thread.own_tid;
  };
  return std::ranges::any_of(threads, holds_it);
}

void read_library_lock(LockObject& lock, std::span<const ThreadIdentity> threads, const MemoryReader& read) {
  lock.kind = WaitKind::kMutex;
  lock.kind_words = "lock inside the C library";
  std::optional<StreamLock> stream = read_value<StreamLock>(read, lock.address);
  if (!stream || !stream->owner) return;
  auto owner = std::ranges::find(threads, stream->owner, &ThreadIdentity::thread_pointer);
  if (owner == threads.end()) return;
  lock.kind_words = "lock of a stream";
  lock.names_owner = true;
  lock.owner = owner->own_tid;
}

// Without a name to tell: a locked mutex of a kind that there is, with an owner that there is.
bool looks_like_a_mutex(std::uint64_t futex, std::span<const ThreadIdentity> threads,
                        const MemoryReader& read) {
  std::optional<Mutex> mutex = read_value<Mutex>(read, futex);
  if (!mutex || mutex->kind & ~kKnownMutexBits || !mutex->lock || mutex->users == 0) return false;
  return mutex->owner && std::ranges::find(threads, mutex->owner, &ThreadIdentity::own_tid) != threads.end();
}

void guess(LockObject& lock, std::span<const ThreadIdentity> threads, const MemoryReader& read) {
  lock.kind_words = "futex";
  if (is_id_of_a_thread(lock.futex, threads, read)) {
    lock.family = LockFamily::kJoin;
    return read_join(lock, read);
  }
  if (!looks_like_a_mutex(lock.futex, threads, read)) return;
  lock.family = LockFamily::kMutex;
  read_mutex(lock, read);
  add(lock.details, "by its layout");
}

struct OwnerlessKind {
  LockFamily family;
  WaitKind kind;
  const char* words;
};

constexpr OwnerlessKind kOwnerless[] = {
    {LockFamily::kOnce, WaitKind::kOnce, "pthread_once"},
    {LockFamily::kGuard, WaitKind::kOnce, "initialization of a static variable"},
    {LockFamily::kAtomicWait, WaitKind::kFutex, "atomic, or what is built on it"},
    {LockFamily::kRustMutex, WaitKind::kMutex, "Rust Mutex"},
    {LockFamily::kRustCondition, WaitKind::kCondition, "Rust Condvar"},
    {LockFamily::kRustPark, WaitKind::kCondition, "Rust thread to be unparked"},
    {LockFamily::kGo, WaitKind::kFutex, kGoRuntimeLock.data()},
};

}  // namespace

LockObject read_lock(std::uint64_t futex, LockFamily family, std::span<const ThreadIdentity> threads,
                     const MemoryReader& read) {
  LockObject lock;
  lock.address = lock.futex = futex;
  lock.family = family;
  switch (family) {
    case LockFamily::kMutex:
      read_mutex(lock, read);
      return lock;
    case LockFamily::kReadLock:
    case LockFamily::kWriteLock:
      read_read_write_lock(lock, read);
      return lock;
    case LockFamily::kRustReadLock:
    case LockFamily::kRustWriteLock:
      read_rust_read_write_lock(lock, read);
      return lock;
    case LockFamily::kBarrier:
      read_barrier(lock, read);
      return lock;
    case LockFamily::kSemaphore:
      read_semaphore(lock, read);
      return lock;
    case LockFamily::kJoin:
      read_join(lock, read);
      return lock;
    case LockFamily::kLibraryLock:
      read_library_lock(lock, threads, read);
      return lock;
    case LockFamily::kUnknown:
      guess(lock, threads, read);
      return lock;
    case LockFamily::kCondition:
      lock.kind = WaitKind::kCondition;
      lock.kind_words = "condition variable";
      lock.address = (futex & ~std::uint64_t{7}) - kConditionSignalsAt;
      return lock;
    default:
      break;
  }
  auto ownerless = std::ranges::find(kOwnerless, family, &OwnerlessKind::family);
  if (ownerless == std::end(kOwnerless)) return lock;
  lock.kind = ownerless->kind;
  lock.kind_words = ownerless->words;
  return lock;
}

}  // namespace dwell
