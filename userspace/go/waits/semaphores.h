// SPDX-License-Identifier: Apache-2.0
// Who waits for which of the runtime's semaphores, on which all locks of package sync rest.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include <cstdint>
#include <vector>

#include "userspace/go/runtime/runtime.h"

namespace dwell {

inline constexpr std::size_t kSudogSize = 104;  // runtime.sudog: as much of it as is read

struct SemaphoreWaiters {
  absl::flat_hash_map<std::uint64_t, std::uint64_t> semaphore_of;  // by the goroutine's address
  std::vector<std::uint64_t> sudogs;
};

// At most some hundred thousand. If `wanted` are given, by address, only until all of those are found.
SemaphoreWaiters read_semaphore_waiters(const GoRuntime& runtime,
                                        const absl::flat_hash_set<std::uint64_t>* wanted = nullptr);

}  // namespace dwell
