// SPDX-License-Identifier: Apache-2.0
// Which locks one goroutine holds, as far as its stack and the code that it returns to tell.
#pragma once

#include <cstdint>
#include <vector>

#include "userspace/go/goroutines/goroutine.h"
#include "userspace/go/locks/code.h"
#include "userspace/go/locks/deferred.h"
#include "userspace/go/locks/paths.h"
#include "userspace/go/waits/conditions.h"

namespace dwell {

struct HeldLock {
  std::uint64_t lock = 0;
  LockUse use = LockUse::kMutex;
  bool certain = false, deferred = false;
  GoCall unlocks, locked;
};

struct GoroutineLocks {
  std::vector<HeldLock> held;
  bool unclear = false;  // it holds something, and it was not found out what
};

class LockEvidence {
 public:
  LockEvidence(const GoRuntime& runtime, LockCodes& codes) : runtime_(runtime), codes_(codes), conditions_(runtime) {}

  // Of a goroutine whose stack was walked, and the lock that it waits for, 0 if for none: what the function that waits will
  // unlock is what it waits for.
  GoroutineLocks of(const Goroutine& goroutine, std::uint64_t waits_for);
  // The innermost frame that is not package sync's or the runtime's.
  std::size_t first_frame_that_may_hold(const std::vector<std::uint64_t>& pcs) const;
  // Functions of the program's own that can return with a lock that they took, and that no call of theirs has deferred.
  std::vector<GoCall> may_return_locked();

 private:
  // `waiting`: it is the frame that waits for a lock.
  GoroutineLocks of_frame(const GoFrameAt& frame, bool waiting, const LocksAhead& ahead, const std::vector<DeferredCall>& listed, const WordReader& read);
  void add_ahead(const GoFrameAt& frame, bool waiting, const LocksAhead& ahead, GoroutineLocks& locks);
  bool add_given_up(const Goroutine& goroutine, std::vector<LockAhead>& taken);
  void add_taken_again(const GoFrameAt& frame, std::uint64_t lock, std::vector<LockAhead>& taken);
  GoCall place_of(std::uint64_t address) const;
  GoCall place_of_held(std::uint64_t pc, LockUse use);

  const GoRuntime& runtime_;
  LockCodes& codes_;
  GoConditions conditions_;
};

}  // namespace dwell
