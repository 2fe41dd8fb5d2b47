// SPDX-License-Identifier: Apache-2.0
// Frame rules from the code itself, where nothing else says how its frames look: musl, and startup code.
//
// From each function's entry, where the return address is on top of the stack, the stack pointer is followed
// through pushes, pops, additions and jumps. What an instruction does to rsp or rbp in any other way makes
// the frame unknown from there on, and what is not reached from any entry has no rule: nothing is guessed.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "userspace/unwind/eh_frame.h"

namespace dwell {

struct CodePiece {
  std::uint64_t vaddr;
  std::string_view bytes;
};

// Pieces are sorted. `entries` are addresses at which functions are known to begin; those that they call are
// found from there. `likely_entries` come after all of that, where code is still unknown.
FrameRows analyze_code(std::span<const CodePiece> code, const std::vector<std::uint64_t>& entries,
                       const std::vector<std::uint64_t>& likely_entries);

}  // namespace dwell
