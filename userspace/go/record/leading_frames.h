// SPDX-License-Identifier: Apache-2.0
// How many of a stack's innermost frames Go's own profiles leave out: the allocator, and the way into the scheduler.
#pragma once

#include <cstddef>

#include "userspace/recording/model.h"
#include "userspace/views/frames.h"

namespace dwell {

// Locations of the stack. 0 where all of them are the runtime's: Go shows those whole, too.
std::size_t leading_of_allocator(const FrameTexts& texts, const CallStack& stack);
std::size_t leading_of_wait(const FrameTexts& texts, const CallStack& stack);

}  // namespace dwell
