// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/locks/holders.h"

#include <gtest/gtest.h>

#include "userspace/go/waits/lock_kinds.h"

namespace dwell {
namespace {

ContendedLock lock_held_by(std::uint64_t address, std::uint64_t holder_waits_for, bool certain = true) {
  ContendedLock lock;
  lock.address = address;
  lock.waiters = 1;
  GoLockHolder holder;
  holder.certain = certain;
  holder.waits_for = holder_waits_for;
  lock.holders.push_back(holder);
  return lock;
}

TEST(LockCircles, AreFoundOnceAndWithoutWhatOnlyLeadsThere) {
  std::vector<LockCircle> circles = circles_among({lock_held_by(9, 1), lock_held_by(1, 2), lock_held_by(2, 3), lock_held_by(3, 1), lock_held_by(8, 9)});
  ASSERT_EQ(circles.size(), 1U);
  EXPECT_EQ(circles[0].locks, (std::vector<std::size_t>{1, 2, 3}));
  EXPECT_TRUE(circles[0].certain);
}

TEST(LockCircles, AreAsCertainAsTheirLeastCertainHolder) {
  std::vector<LockCircle> circles = circles_among({lock_held_by(1, 2), lock_held_by(2, 1, false)});
  ASSERT_EQ(circles.size(), 1U);
  EXPECT_FALSE(circles[0].certain);
}

TEST(LockCircles, MayBeOfOneLock) { EXPECT_EQ(circles_among({lock_held_by(1, 1)}).size(), 1U); }

TEST(LockCircles, AreNoneWhereAHolderGoesOn) {
  EXPECT_TRUE(circles_among({lock_held_by(1, 2), lock_held_by(2, 0)}).empty());
  EXPECT_TRUE(circles_among({lock_held_by(1, 7), lock_held_by(2, 1)}).empty());
  ContendedLock of_nobody;
  of_nobody.address = 1;
  EXPECT_TRUE(circles_among({of_nobody, lock_held_by(2, 1)}).empty());
}

TEST(LockEvents, AreThoseOfPackageSync) {
  ASSERT_TRUE(lock_event("internal/sync.(*Mutex).Unlock"));
  EXPECT_TRUE(lock_event("internal/sync.(*Mutex).Unlock")->unlocks);
  ASSERT_TRUE(lock_event("sync.(*RWMutex).RLock"));
  EXPECT_EQ(lock_event("sync.(*RWMutex).RLock")->use, LockUse::kRead);
  EXPECT_FALSE(lock_event("sync.(*Mutex).TryLock"));
  EXPECT_FALSE(lock_event("main.(*Mutex).Lock"));
}

std::vector<GoCall> calls_of(std::initializer_list<const char*> functions) {
  std::vector<GoCall> calls;
  for (const char* function : functions) calls.push_back({function, "", 0, false, false});
  return calls;
}

TEST(LockKinds, OfAWriterThatWaitsForWritersIsTheWholeLock) {
  const LockKind* kind = lock_kind(calls_of({"sync.runtime_SemacquireMutex", "sync.(*Mutex).lockSlow", "sync.(*Mutex).Lock", "sync.(*RWMutex).Lock", "main.f"}));
  ASSERT_NE(kind, nullptr);
  EXPECT_EQ(kind->kind, "sync.RWMutex");
  EXPECT_EQ(kind->semaphore, 4U);
}

TEST(LockKinds, EndWithThePackage) {
  // A method of the program's own that happens to be called by one of these is another wait.
  const LockKind* kind = lock_kind(calls_of({"sync.(*Mutex).lockSlow", "main.f", "sync.(*RWMutex).Lock"}));
  ASSERT_NE(kind, nullptr);
  EXPECT_EQ(kind->kind, "sync.Mutex");
  EXPECT_EQ(lock_kind(calls_of({"main.f"})), nullptr);
}

}  // namespace
}  // namespace dwell
