// SPDX-License-Identifier: Apache-2.0
// Stacks through signal handlers: what a handler does, and what it interrupted. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "userspace/views/report_stack.h"

namespace dwell {

// The index of the innermost frame between a handler and what it interrupted; none: no handler is on the stack.
std::optional<std::size_t> signal_frame_in(std::span<const ReportFrame> stack);

// The C library's allocator, its inner functions too: they have one lock, and nobody is named as its owner.
bool is_inside_allocator(std::string_view function);
bool any_inside_allocator(std::span<const ReportFrame> frames);
// fork() takes the allocator's lock, so that the child has it in order.
bool is_forking(std::span<const ReportFrame> frames);

}  // namespace dwell
