// SPDX-License-Identifier: Apache-2.0
// Calls that a goroutine has deferred and not yet made: those that the runtime lists, and those that the compiler has put
// into the frame of the function that defers them.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "userspace/go/goroutines/goroutine.h"
#include "userspace/go/locks/paths.h"

namespace dwell {

struct GoFrameAt {
  std::uint64_t pc = 0;
  std::uint64_t sp = 0;  // where the frame ends below
  std::uint64_t depth = 0;  // from there to the return address
};

struct DeferredCall {
  std::uint64_t closure = 0;
  std::uint64_t sp = 0;  // of the frame that has deferred it
};

// Of one frame, by the byte in it that has a bit for each deferred call.
std::vector<DeferredCall> deferred_in_frame(const GoRuntime& runtime, const GoFrameAt& frame, const WordReader& read);
// By the runtime's list.
std::vector<DeferredCall> deferred_in_list(const GoRuntime& runtime, std::uint64_t goroutine);

}  // namespace dwell
