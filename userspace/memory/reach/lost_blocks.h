// SPDX-License-Identifier: Apache-2.0
// Which of the unreachable blocks are held by no other of them, and what each of those holds of the rest.
#pragma once

#include <cstdint>
#include <vector>

#include "userspace/memory/reach/block_index.h"
#include "userspace/memory/reach/graph.h"

namespace dwell::memory::reach {

struct LostBlock {
  LiveBlock block;
  bool in_cycle = false;                          // one of a ring of blocks, taken for all of them
  std::uint64_t held_blocks = 0, held_bytes = 0;  // through it, itself left out; each counted once
};

// `unreachable` are indices into the graph's blocks, in order.
std::vector<LostBlock> lost_blocks(const BlockIndex& index, const Graph& graph,
                                   const std::vector<std::uint32_t>& unreachable);

}  // namespace dwell::memory::reach
