// SPDX-License-Identifier: Apache-2.0
// What leads to the blocks that a recording followed: for each call site how much of it is lost, and which global variables, threads
// or other memory reach the rest. By looks at the running process (settling_looks.h); nothing is stopped.
#pragma once

#include <cstdint>
#include <vector>

#include "userspace/memory/holding.h"
#include "userspace/memory/reach/settling_looks.h"

namespace dwell::memory::reach {

struct FollowedBlock {
  std::uint64_t address = 0, size = 0;  // size: as it was asked for
  std::uint32_t series = 0;
  double weight = 1;  // how many blocks of its call site it stands for
};

// A block counts for the first holder that reaches it, in this order: variables of the program, of its libraries, data without
// symbols, thread-local variables, other memory, generated code, stacks, the kernel.
Result<Holding> find_holding(const LookLimits& limits, const std::vector<FollowedBlock>& blocks);

}  // namespace dwell::memory::reach
