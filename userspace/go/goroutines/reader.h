// SPDX-License-Identifier: Apache-2.0
// Reads all goroutines of a running program, with their stacks, while they run on.
//
// A goroutine that moves while it is read is read again; one that moves each time is told of without a stack.
// A stack counts only if it ends where goroutines begin, and if each frame was called from where it will
// return to.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "userspace/base/result.h"
#include "userspace/go/runtime/runtime.h"
#include "userspace/go/goroutines/goroutine.h"
#include "userspace/go/record/look.h"

namespace dwell {

// The object is reused: take what you keep.
using GoroutineVisitor = std::function<void(const Goroutine&)>;

// Memory does not grow with the number of goroutines, but for 8 bytes of each.
Result<LookFigures> read_goroutines(const GoRuntime& runtime, const GoroutineVisitor& visit);

// The same without stacks: what each is about at this moment.
Result<void> read_goroutine_states(const GoRuntime& runtime, const GoroutineVisitor& visit);
// Of one, by where its runtime.g is. None: it has ended.
std::optional<Goroutine> read_goroutine_state(const GoRuntime& runtime, std::uint64_t address);

}  // namespace dwell
