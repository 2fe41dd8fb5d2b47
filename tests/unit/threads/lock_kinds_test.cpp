// SPDX-License-Identifier: Apache-2.0
// Locks by the functions that wait for them, and by what lies in memory.
#include "userspace/threads/lock_kinds.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "userspace/threads/lock_objects.h"

namespace dwell {
namespace {

LockFamily family(const std::vector<std::string_view>& functions, bool relative = false) {
  return family_of(functions, relative);
}

TEST(LockKinds, ByTheFunctionsOfTheCLibraryWithAndWithoutTheirInnerOnes) {
  EXPECT_EQ(family({"futex_wait", "__GI___lll_lock_wait", "___pthread_mutex_lock", "serve"}, true),
            LockFamily::kMutex);
  EXPECT_EQ(family({"pthread_mutex_lock", "serve"}, true), LockFamily::kMutex);
  EXPECT_EQ(family({"__futex_abstimed_wait_common", "___pthread_cond_wait", "serve"}),
            LockFamily::kCondition);
  EXPECT_EQ(family({"pthread_rwlock_rdlock"}), LockFamily::kReadLock);
  EXPECT_EQ(family({"___pthread_rwlock_wrlock"}), LockFamily::kWriteLock);
  EXPECT_EQ(family({"__new_sem_wait_slow64", "sem_wait"}), LockFamily::kSemaphore);
  EXPECT_EQ(family({"__pthread_clockjoin_ex"}), LockFamily::kJoin);
  EXPECT_EQ(family({"__cxa_guard_acquire"}), LockFamily::kGuard);
  EXPECT_EQ(family({"__lll_lock_wait_private", "malloc"}), LockFamily::kLibraryLock);
  EXPECT_EQ(family({"__lll_lock_wait_private", "___pthread_mutex_lock"}), LockFamily::kMutex);
  EXPECT_EQ(family({"syscall", "my_own_lock"}), LockFamily::kUnknown);
  EXPECT_EQ(family({}), LockFamily::kUnknown);
}

// Woken, a waiter takes the mutex again before pthread_cond_wait returns: by the call that locks use.
TEST(LockKinds, AConditionsWaiterCanWaitForItsMutex) {
  EXPECT_EQ(family({"__pthread_mutex_cond_lock", "pthread_cond_wait"}, true), LockFamily::kMutex);
  EXPECT_EQ(family({"pthread_cond_wait"}, true), LockFamily::kMutex);
}

TEST(LockKinds, RustsOwn) {
  EXPECT_EQ(family({"syscall", "std::sys::unix::futex::futex_wait",
                    "std::sys::unix::locks::futex_mutex::Mutex::lock_contended"}),
            LockFamily::kRustMutex);
  EXPECT_EQ(family({"std::sys::sync::rwlock::futex::RwLock::write_contended"}),
            LockFamily::kRustWriteLock);
  EXPECT_EQ(family({"std::sys::sync::condvar::futex::Condvar::wait"}), LockFamily::kRustCondition);
  EXPECT_EQ(family({"syscall", "std::sys::pal::unix::futex::futex_wait", "<std::sys::sync::mutex::futex::Mutex>::lock_contended"}), LockFamily::kRustMutex);
  EXPECT_EQ(family({"<std::sys::sync::rwlock::futex::RwLock>::write_contended"}), LockFamily::kRustWriteLock);
  EXPECT_EQ(family({"<std::sys::sync::condvar::futex::Condvar>::wait_optional_timeout"}), LockFamily::kRustCondition);
  EXPECT_EQ(family({"<std::sys::sync::thread_parking::futex::Parker>::park"}), LockFamily::kRustPark);
}

// Words in memory from address 0x1000 on.
struct Memory {
  std::vector<std::uint32_t> words;
  LockObject lock(std::uint64_t futex, LockFamily family, std::vector<ThreadIdentity> threads = {}) const {
    MemoryReader read = [this](std::uint64_t address, void* to, std::size_t size) {
      if (address < 0x1000 || address - 0x1000 + size > words.size() * 4) return false;
      std::memcpy(to, reinterpret_cast<const char*>(words.data()) + (address - 0x1000), size);
      return true;
    };
    return read_lock(futex, family, threads, read);
  }
};

TEST(LockObjects, AMutexNamesItsOwner) {
  LockObject lock = Memory{{2, 0, 4711, 1, 0, 0, 0, 0, 0, 0}}.lock(0x1000, LockFamily::kMutex);
  EXPECT_EQ(lock.kind, WaitKind::kMutex);
  EXPECT_TRUE(lock.names_owner);
  EXPECT_EQ(lock.owner, 4711u);
  EXPECT_EQ(lock.details, "");
}

TEST(LockObjects, ARobustMutexNamesItInTheLockWord) {
  LockObject lock = Memory{{0x80000000u | 12, 0, 99, 1, 16 | 128}}.lock(0x1000, LockFamily::kMutex);
  EXPECT_EQ(lock.owner, 12u);
  EXPECT_EQ(lock.details, "robust");
  EXPECT_FALSE(lock.shared) << "every robust mutex has that mark";
}

TEST(LockObjects, WhatWasAMutexOnce) {
  LockObject lock = Memory{{2, 0, 4711, 1, 0xffffffff}}.lock(0x1000, LockFamily::kMutex);
  EXPECT_FALSE(lock.names_owner);
  EXPECT_EQ(lock.details, "not a valid mutex any more");
}

TEST(LockObjects, MemoryThatIsGoneIsNoOwner) {
  EXPECT_FALSE(Memory{}.lock(0x1000, LockFamily::kMutex).names_owner);
  EXPECT_EQ(Memory{}.lock(0x1000, LockFamily::kUnknown).kind, WaitKind::kFutex);
  EXPECT_EQ(Memory{}.lock(0x1004, LockFamily::kBarrier).details, "");
}

TEST(LockObjects, AnRwlockIsFoundFromEachOfItsThreeWords) {
  std::vector<std::uint32_t> to_read = {(2 << 3) | 4, 1, 1, 0, 0, 0, 0, 0};
  EXPECT_EQ(Memory{to_read}.lock(0x1000, LockFamily::kReadLock).address, 0x1000u);
  EXPECT_EQ(Memory{to_read}.lock(0x100c, LockFamily::kWriteLock).address, 0x1000u);
  std::vector<std::uint32_t> held = {3, 0, 3, 0, 0, 0, 77, 0};
  LockObject lock = Memory{held}.lock(0x1008, LockFamily::kReadLock);
  EXPECT_EQ(lock.address, 0x1000u);
  EXPECT_EQ(lock.owner, 77u);
  EXPECT_EQ(Memory{held}.lock(0x1008, LockFamily::kWriteLock).address, 0x1000u);
}

TEST(LockObjects, AConditionIsFoundFromEitherGroup) {
  EXPECT_EQ(Memory{}.lock(0x1028, LockFamily::kCondition).address, 0x1000u);
  EXPECT_EQ(Memory{}.lock(0x102c, LockFamily::kCondition).address, 0x1000u);
}

TEST(LockObjects, ABarrierCountsItsRound) {
  LockObject lock = Memory{{5, 3, 4, 0}}.lock(0x1004, LockFamily::kBarrier);
  EXPECT_EQ(lock.address, 0x1000u);
  EXPECT_EQ(lock.details, "2 of 4 have come");
}

// Without a function's name: the word is the id of a thread, inside of what that thread's pointer points to.
TEST(LockObjects, AJoinIsKnownByTheThreadItself) {
  LockObject lock = Memory{{0, 0, 0, 0, 55}}.lock(0x1010, LockFamily::kUnknown, {{55, 0x1000}});
  EXPECT_EQ(lock.kind, WaitKind::kJoin);
  EXPECT_EQ(lock.owner, 55u);
  Memory other{{0, 0, 0, 0, 56}};
  LockObject none = other.lock(0x1010, LockFamily::kUnknown, {{55, 0x1000}});
  EXPECT_EQ(none.kind, WaitKind::kFutex);
}

TEST(LockObjects, AMutexCanBeKnownByItsLayoutWhereItsOwnerIsAThread) {
  Memory memory{{2, 0, 55, 1, 0}};
  EXPECT_EQ(memory.lock(0x1000, LockFamily::kUnknown, {{55, 0x9000}}).details, "by its layout");
  EXPECT_EQ(memory.lock(0x1000, LockFamily::kUnknown, {{66, 0x9000}}).kind, WaitKind::kFutex);
}

TEST(LockObjects, AStreamsLockNamesItsOwnerByItsThreadPointer) {
  Memory memory{{2, 1, 0x9000, 0}};
  EXPECT_EQ(memory.lock(0x1000, LockFamily::kLibraryLock, {{55, 0x9000}}).owner, 55u);
  EXPECT_FALSE(memory.lock(0x1000, LockFamily::kLibraryLock, {{55, 0x8000}}).names_owner);
}

TEST(LockObjects, AMuslMutexHasItsKindInFront) {
  LockObject checked = Memory{{2, 0x80000000u | 55, 1}}.lock(0x1004, LockFamily::kMutex);
  EXPECT_EQ(checked.address, 0x1000u);
  EXPECT_EQ(checked.owner, 55u);
  Memory plain{{0, 0x80000010u, 1}};
  EXPECT_FALSE(plain.lock(0x1004, LockFamily::kMutex).names_owner);
}

}  // namespace
}  // namespace dwell
