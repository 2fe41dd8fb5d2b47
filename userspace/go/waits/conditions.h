// SPDX-License-Identifier: Apache-2.0
// Which sync.Cond a goroutine waits on. Before Go 1.26 the runtime does not note it with the goroutine; but the frame of Cond.Wait
// holds the condition, whose list holds the goroutine.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include <cstdint>

#include "userspace/go/goroutines/goroutine.h"
#include "userspace/go/runtime/runtime.h"

namespace dwell {

inline constexpr std::string_view kWaitOnCondition = "sync.(*Cond).Wait";

class GoConditions {
 public:
  explicit GoConditions(const GoRuntime& runtime) : runtime_(runtime) {}

  // Of a goroutine whose stack is whole and that waits in Cond.Wait; 0 if it was not found.
  std::uint64_t of(const Goroutine& goroutine);
  // Where the lock is that a condition gives up while it is waited on: sync.Cond.L.
  std::uint64_t lock_of(std::uint64_t condition) const;

 private:
  const absl::flat_hash_set<std::uint64_t>& waiters_at(std::uint64_t condition);

  const GoRuntime& runtime_;
  absl::flat_hash_map<std::uint64_t, absl::flat_hash_set<std::uint64_t>> waiters_;  // goroutines, by what may be a condition
};

}  // namespace dwell
