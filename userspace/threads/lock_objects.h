// SPDX-License-Identifier: Apache-2.0
// Lock objects as they lie in memory: from the futex that a thread waits on to the object, and from the
// object to its owner. glibc's layouts on x86-64; of locks that name no owner (Rust's, Go's, C++'s atomics)
// only the kind.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "userspace/threads/look.h"
#include "userspace/threads/lock_kinds.h"
#include "userspace/unwind/remote_unwinder.h"

namespace dwell {

// A thread of the process, as the process's own memory knows it.
struct ThreadIdentity {
  Tid own_tid;
  std::uint64_t thread_pointer;  // address of its struct pthread
};

struct LockObject {
  std::uint64_t address = 0;
  std::uint64_t futex = 0;  // the word that was waited on
  WaitKind kind = WaitKind::kFutex;
  LockFamily family = LockFamily::kUnknown;
  std::string kind_words;    // "mutex", "barrier"
  std::string details;       // "recursive, robust"; "2 of 3 have come"; may be empty
  bool names_owner = false;  // this kind of lock does
  bool shared = false;       // made to be shared between processes
  Tid owner = 0;             // as the process itself numbers its threads; 0: nobody
  std::uint32_t readers = 0; // that have it; it counts them, and doesn't name them
};

// `family` is what the waiting thread's functions say.
LockObject read_lock(std::uint64_t futex, LockFamily family, std::span<const ThreadIdentity> threads,
                     const MemoryReader& read);

}  // namespace dwell
