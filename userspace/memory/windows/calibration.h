// SPDX-License-Identifier: Apache-2.0
// Holds what windows estimate of call sites against what the census counted: the sum over the call sites of a kind of block
// is what the heap holds of it. What a call site gains or loses by that goes by its error. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "userspace/memory/windows/census.h"

namespace dwell::memory::windows {

struct Portion {  // of a call site, of the blocks of one kind; usable bytes
  std::uint32_t cell = Census::kNoCell;
  double bytes = 0, low = 0, high = 0;  // low to high: 95 %
  double error = 0;                     // of `bytes`, by sampling alone; what low to high has beyond it, no sample would tell
  bool anchored = false;                // by calibrate(): the census knew the sum better than windows did
  bool rare = false;  // met in too few windows: it may have come in bursts that none of them met
  bool bursts = false;  // it was met when the heap grew fast: what is missing has come from it rather than from sampling errors
};

// Returns, for each cell, the bytes that no call site is known for. `shared_error`: of all portions alike, as a share of them.
std::vector<double> calibrate(std::span<Portion> portions, std::span<const CellCount> cells, double shared_error);

}  // namespace dwell::memory::windows
