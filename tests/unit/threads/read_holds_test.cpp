// SPDX-License-Identifier: Apache-2.0
// Who has locked to read what it waits to write, by code that compilers make, at addresses of its own.
#include "userspace/threads/read_holds.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

// Each function ends where the next begins. What they call is never run: its address stands for its name.
asm(R"(
  .text
held_rdlock: nop
held_wrlock: nop
held_unlock: nop
held_other: nop
held_throw: nop

held_plain:  # g++ -O2: the lock is behind an argument, in a register that calls keep
  push %rbx
  lea 0x40(%rdi), %rbx
1: mov %rbx, %rdi
  call held_rdlock
  cmp $11, %eax
  je 1b
  cmp $35, %eax
  je 2f
  call held_other
  mov %rbx, %rdi
  call held_wrlock
held_plain_waits:
  mov %rbx, %rdi
  call held_unlock
  pop %rbx
  ret
2: mov $35, %edi
  call held_throw
held_spilled:  # gcc -O0: through the stack
  push %rbp
  mov %rsp, %rbp
  sub $16, %rsp
  mov %rdi, -8(%rbp)
  mov -8(%rbp), %rax
  mov %rax, %rdi
  call held_rdlock
  mov -8(%rbp), %rax
  mov %rax, %rdi
  call held_wrlock
held_spilled_waits:
  leave
  ret
held_released:  # reads, and reads no more
  push %rbx
  mov %rdi, %rbx
  call held_rdlock
  mov %rbx, %rdi
  call held_unlock
  mov %rbx, %rdi
  call held_wrlock
held_released_waits:
  pop %rbx
  ret
held_either:  # reads or writes
  push %rbx
  mov %rdi, %rbx
  test %esi, %esi
  je 1f
  call held_rdlock
  jmp 2f
1: call held_wrlock
held_either_waits:
2: mov %rbx, %rdi
  call held_unlock
  pop %rbx
  ret
held_two:  # reads one lock, and writes another
  push %rbx
  mov %rdi, %rbx
  call held_rdlock
  lea 0x38(%rbx), %rdi
  call held_wrlock
held_two_waits:
  pop %rbx
  ret
held_outer:  # reads, and calls a function that writes
  push %rbx
  mov %rdi, %rbx
  lea 0x10(%rdi), %rdi
  call held_rdlock
  mov %rbx, %rdi
  call held_inner
held_outer_waits:
  pop %rbx
  ret
held_inner:
  sub $8, %rsp
  add $0x10, %rdi
  call held_wrlock
held_inner_waits:
  add $8, %rsp
  ret
held_atomic:  # Rust -O: the fast ways are inlined
  push %rbx
  mov %rdi, %rbx
  mov (%rdi), %eax
  lea 1(%rax), %ecx
  lock cmpxchg %ecx, (%rbx)
  jne 3f
1: mov $0x3fffffff, %ecx
  xor %eax, %eax
  lock cmpxchg %ecx, (%rbx)
  jne 4f
2: pop %rbx
  ret
3: mov %rbx, %rdi
  call held_rdlock
  jmp 1b
4: mov %rbx, %rdi
  call held_wrlock
held_atomic_waits:
  jmp 2b
held_subtracted:  # the same, released in between
  push %rbx
  mov %rdi, %rbx
  mov (%rdi), %eax
  lea 1(%rax), %ecx
  lock cmpxchg %ecx, (%rbx)
  lock subl $1, (%rbx)
  mov %rbx, %rdi
  call held_wrlock
held_subtracted_waits:
  pop %rbx
  ret
held_end: nop
)");

extern "C" const char held_rdlock, held_wrlock, held_unlock, held_other, held_throw, held_plain, held_plain_waits, held_spilled, held_spilled_waits, held_released,
    held_released_waits, held_either, held_either_waits, held_two, held_two_waits, held_outer, held_outer_waits, held_inner, held_inner_waits, held_atomic,
    held_atomic_waits, held_subtracted, held_subtracted_waits, held_end;

namespace dwell {
namespace {

constexpr std::uint64_t kLock = 0x123400;

std::uint64_t at(const char& label) { return reinterpret_cast<std::uint64_t>(&label); }

FrameCode frame(const char& begin, const char& waits, const char& end) {
  std::map<std::uint64_t, std::string> names{{at(held_rdlock), "pthread_rwlock_rdlock"}, {at(held_wrlock), "pthread_rwlock_wrlock"}, {at(held_unlock), "pthread_rwlock_unlock"},
                                             {at(held_other), "pthread_barrier_wait"}, {at(held_throw), "_ZSt20__throw_system_errori"}};
  auto name_at = [names](std::uint64_t address) {
    auto known = names.find(address);
    return known == names.end() ? std::string() : known->second;
  };
  return {at(begin), std::string(&begin, &end), at(waits), name_at, [](std::uint64_t) { return std::string(); }};
}

bool holds(const std::vector<FrameCode>& frames) { return find_read_hold(frames, kLock).has_value(); }

TEST(ReadHolds, AreToldByTheCallThatEveryWayPasses) {
  FrameCode plain = frame(held_plain, held_plain_waits, held_spilled);
  std::optional<ReadHold> hold = find_read_hold(std::span(&plain, 1), kLock);
  ASSERT_TRUE(hold);
  EXPECT_EQ(hold->frame, 0u);
  EXPECT_GT(hold->call, at(held_plain));
  EXPECT_LT(hold->call, at(held_plain_waits));
  EXPECT_TRUE(holds({frame(held_spilled, held_spilled_waits, held_released)}));
}

TEST(ReadHolds, AreNoneOfWhatWasUnlockedOrLockedElsewhereOrIsAnotherLock) {
  EXPECT_FALSE(holds({frame(held_released, held_released_waits, held_either)}));
  EXPECT_FALSE(holds({frame(held_either, held_either_waits, held_two)}));
  EXPECT_FALSE(holds({frame(held_two, held_two_waits, held_outer)}));
  EXPECT_FALSE(holds({frame(held_inner, held_inner_waits, held_atomic)}));
}

TEST(ReadHolds, MayBeOfAFunctionAroundTheOneThatWrites) {
  std::vector<FrameCode> frames{frame(held_inner, held_inner_waits, held_atomic), frame(held_outer, held_outer_waits, held_inner)};
  std::optional<ReadHold> hold = find_read_hold(frames, kLock);
  ASSERT_TRUE(hold);
  EXPECT_EQ(hold->frame, 1u);
}

TEST(ReadHolds, OfRustAreToldByTheWordThatIsRaisedByOne) {
  EXPECT_TRUE(holds({frame(held_atomic, held_atomic_waits, held_subtracted)}));
  EXPECT_FALSE(holds({frame(held_subtracted, held_subtracted_waits, held_end)}));
}

TEST(ReadHolds, OfCodeThatEndsInTheMiddleOrIsNoneAreNone) {
  FrameCode plain = frame(held_plain, held_plain_waits, held_spilled);
  for (std::size_t size = 0; size < plain.bytes.size(); ++size) {
    FrameCode cut = plain;
    cut.bytes.resize(size);
    find_read_hold(std::span(&cut, 1), kLock);
  }
  FrameCode noise = plain;
  for (char& byte : noise.bytes) byte = static_cast<char>(byte * 37 + 11);
  EXPECT_FALSE(holds({noise}));
}

TEST(ReadHolds, KnowsTheFunctionsOfEachLibrary) {
  EXPECT_EQ(lock_call("__pthread_rwlock_rdlock").step, LockStep::kLocksToRead);
  EXPECT_EQ(lock_call("pthread_rwlock_tryrdlock").step, LockStep::kNone) << "it may fail";
  EXPECT_EQ(lock_call("pthread_mutex_unlock").step, LockStep::kNone);
  EXPECT_EQ(lock_call("_ZNSt16_Sp_counted_baseILN9__gnu_cxx12_Lock_policyE2EE10_M_releaseEv").step, LockStep::kNone) << "of a shared_ptr";
  EXPECT_EQ(lock_call("_ZNSt11shared_lockISt12shared_mutexEC1ERS0_").argument, 1);
  EXPECT_EQ(lock_call("_ZNSt12shared_mutex11lock_sharedEv").argument, 0);
  EXPECT_EQ(lock_call("_ZNSt11shared_lockISt12shared_mutexED1Ev").step, LockStep::kUnlocks);
  EXPECT_EQ(lock_call("_ZNSt12shared_mutex13unlock_sharedEv").argument, 0);
  for (const char* end : {"_ZNSt11shared_lockISt12shared_mutexE6unlockEv", "_ZN4core3mem4drop17h0123456789abcdefE", "table_read_unlock", "ReleaseTable"}) {
    EXPECT_EQ(lock_call(end).step, LockStep::kUnlocks) << end;
    EXPECT_EQ(lock_call(end).argument, -1) << end << ": of which lock is not known";
  }
  EXPECT_EQ(lock_call("_ZSt20__throw_system_errori").step, LockStep::kNeverReturns);
  EXPECT_EQ(lock_call("_ZN3std3sys4sync6rwlock5futex6RwLock14read_contended17hb2ade715cfbd6048E").argument, 0);
  EXPECT_EQ(lock_call("_ZN3std4sync6poison6rwlock15RwLock$LT$T$GT$4read17h82c6d4fd6c6da801E").argument, 1);
}

}  // namespace
}  // namespace dwell
