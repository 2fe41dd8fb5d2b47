// SPDX-License-Identifier: Apache-2.0
// The numbers by which a recording, and everything on the way to it, names stacks, processes and threads.
#pragma once

#include <cstdint>

namespace dwell {

enum class StackId : std::uint32_t { kUnknown = 0 };  // index into the recording's stack table
using ProcessSlot = std::uint16_t;                    // index into the recording's process table
using TargetSlot = std::uint8_t;  // dwell_header.process: names a process while it lives, then another one
using Tid = std::uint32_t;

}  // namespace dwell
