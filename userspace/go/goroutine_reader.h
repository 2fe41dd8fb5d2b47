// SPDX-License-Identifier: Apache-2.0
// Reads all goroutines of a running program, with their stacks, while they run on.
//
// A goroutine that moves while it is read is read again; one that moves each time is told of without a stack.
// A stack counts only if it ends where goroutines begin, and if each frame was called from where it will
// return to.
#pragma once

#include <cstdint>
#include <functional>

#include "userspace/base/result.h"
#include "userspace/go/go_runtime.h"
#include "userspace/go/goroutine.h"

namespace dwell {

struct LookFigures {
  std::uint64_t listed = 0;  // entries of the runtime's list, ended goroutines included
  std::uint64_t alive = 0;
  std::uint64_t torn = 0;    // times that one had moved when it was read, and was read again
  std::uint64_t moved = 0;   // goroutines that moved each time
  std::uint64_t broken = 0;  // stacks that no table could tell
  std::uint64_t unreadable = 0;
};

// The object is reused: take what you keep.
using GoroutineVisitor = std::function<void(const Goroutine&)>;

// Memory does not grow with the number of goroutines, but for 8 bytes of each.
Result<LookFigures> read_goroutines(const GoRuntime& runtime, const GoroutineVisitor& visit);

}  // namespace dwell
