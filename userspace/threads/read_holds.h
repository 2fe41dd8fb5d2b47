// SPDX-License-Identifier: Apache-2.0
// Whether a thread that waits to write a reader-writer lock has it to read: no such lock names its readers, but the thread's own
// code does. Where every way from the beginning of one of its functions to the call that it waits in passes a call that locks the
// same lock to read, and none that unlocks it after that, the thread has it, and waits for itself. Pure.
//
//     update():                  rdi at the beginning: a1
//       lea  rbx, [rdi+0x40]     rbx = a1 + 0x40
//       mov  rdi, rbx
//       call pthread_rwlock_rdlock    held to read: a1 + 0x40
//       ...
//       mov  rdi, rbx
//       call pthread_rwlock_wrlock    waits for a1 + 0x40
//
// What may be missed: locks that functions of other modules take for their callers, addresses that are computed in other ways, functions
// with jump tables. What may be wrong: a called function unlocks what its caller has locked, or another lock's address stood in the
// same place in memory before.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace dwell {

enum class LockStep : std::uint8_t {
  kNone,
  kLocksToRead,
  kUnlocks,
  kNeverReturns,
  kReturnsFirst,  // its first argument, as std::addressof()
};

struct LockCall {
  LockStep step = LockStep::kNone;
  // 0: the first argument is the lock. 1: the second; the first is a guard. -1: none is.
  int argument = -1;
};

// By the name of a function as symbol tables have it, mangled or not.
LockCall lock_call(std::string_view function);

// The function of one frame, where it lies in the process.
struct FrameCode {
  std::uint64_t begin = 0;
  std::string bytes;
  std::uint64_t returns_to = 0;  // behind the call that it waits in
  // The name of the function at an address that is called, or whose address is in a slot of memory; "": not known.
  std::function<std::string(std::uint64_t address)> name_at, name_in;
};

struct ReadHold {
  std::size_t frame = 0;   // index
  std::uint64_t call = 0;  // of the instruction that locks
};

// `frames`: from the one that called the function which locks to write, outwards. `lock`: its address, the first argument of that.
std::optional<ReadHold> find_read_hold(std::span<const FrameCode> frames, std::uint64_t lock);

}  // namespace dwell
