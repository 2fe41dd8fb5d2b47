// SPDX-License-Identifier: Apache-2.0
// LockTable: the locks that the threads of one look wait for, each once, with its owner.
#pragma once

#include <sys/types.h>

#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "userspace/process/process_memory.h"
#include "userspace/threads/look.h"
#include "userspace/process/data_symbols.h"
#include "userspace/threads/lock_objects.h"
#include "userspace/threads/looker.h"

namespace dwell {

class LockTable {
 public:
  LockTable(pid_t pid, DataSymbols& data, std::span<const SeenThread* const> threads);

  // The lock around a futex; -1: none, but a wait of some other kind.
  std::int32_t add(std::uint64_t futex, LockFamily family);
  const LockFacts& operator[](std::int32_t lock) const { return facts_[static_cast<std::size_t>(lock)]; }

  // An owner that is no thread of this process: is it still one now, and still named? `now` are the threads
  // of a later look.
  void confirm_missing_owners(const RawLook& now);

  std::vector<LockFacts> take() { return std::move(facts_); }

 private:
  LockFacts describe(const LockObject& lock);
  void find_owner(const LockObject& lock, LockFacts& facts);
  void find_missing_owner(const LockObject& lock, LockFacts& facts) const;

  pid_t pid_;
  ProcessMemory memory_;
  MemoryReader read_;
  DataSymbols& data_;
  std::vector<ThreadIdentity> threads_;
  std::map<Tid, const SeenThread*> by_own_tid_;
  std::map<std::pair<std::uint64_t, WaitKind>, std::int32_t> known_;
  std::vector<LockObject> objects_;
  std::vector<LockFacts> facts_;
};

}  // namespace dwell
