// SPDX-License-Identifier: Apache-2.0
// What a memory ledger says about a span of time, and about one moment: plain data, kept as it is by a
// recording and read back by the views.
//
// Everything is told per series: one call stack, in one process, for one kind of memory.
//
//   live at the end of a tick = live at its start + allocated - freed + moved
//
// Sampled recordings count twice. Raw figures are the blocks that were seen. Scaled figures are what they
// stand for: a sampled block of s bytes stands for 1/P blocks and s/P bytes, P = 1 - exp(-s / period).
// Scaled blocks are integers in units of 1/kScaledBlock, so that a free takes away exactly what its
// allocation brought.
#pragma once

#include <cstdint>
#include <vector>

#include "userspace/memory/event.h"

namespace dwell {

struct Series {
  StackId stack;
  MemoryKind kind;
  ProcessSlot process;
  bool operator==(const Series&) const = default;
};

inline constexpr std::uint64_t kScaledBlock = 1024;  // one block, in scaled units

struct Scaled {
  std::uint64_t blocks = 0;    // 1/kScaledBlock blocks
  std::uint64_t bytes = 0;
  std::uint64_t variance = 0;  // of bytes, in units of period^2 / 65536
  bool operator==(const Scaled&) const = default;
};

struct TickRow {
  std::uint32_t series;
  std::uint64_t allocs = 0, alloc_bytes = 0;
  std::uint64_t frees = 0, freed_bytes = 0;
  // Live when the memory of its process and kind was highest in this tick, less live at the tick's end.
  // In scaled units if the recording is sampled. A series without a row has the same at both moments.
  std::int64_t peak_blocks = 0, peak_bytes = 0;
  bool operator==(const TickRow&) const = default;
};

struct ScaledRow {  // beside the TickRow of the same index
  Scaled allocated, freed;
  bool operator==(const ScaledRow&) const = default;
};

// Blocks freed in this tick that had lived 2^log2_ns nanoseconds or longer, and less than twice that.
// Scaled if the recording is sampled. The parts of a mapping that went before its last part have bytes
// and no count.
struct LifetimeRow {
  std::uint32_t series;
  std::uint8_t log2_ns;
  std::uint64_t blocks, bytes;
  bool operator==(const LifetimeRow&) const = default;
};
inline constexpr std::uint8_t kLongestLifetime = 50;  // 2^50 ns and more: 13 days

// Memory that a series has got or lost without a call: inherited by fork, or gone with exec or exit.
struct MovedRow {
  std::uint32_t series;
  std::int64_t blocks, bytes;
  std::int64_t scaled_blocks, scaled_bytes, scaled_variance;  // 0 if not sampled
  bool operator==(const MovedRow&) const = default;
};

struct PeakRow {  // the highest point of one process and kind in this tick
  ProcessSlot process;
  MemoryKind kind;
  std::uint64_t time_ns;
  std::uint64_t bytes;  // scaled if sampled
  bool operator==(const PeakRow&) const = default;
};

// What the ledger met that should not be. Each is a sign of a lost event, or of a block older than the attach.
struct Surprises {
  std::uint64_t unknown_frees = 0;   // freed, and never seen allocated
  std::uint64_t implied_frees = 0;   // an address was given out again: its free had not been seen
  std::uint64_t orphan_reallocs = 0; // a realloc that began and never ended, or the other way round
  std::uint64_t refused_blocks = 0;  // not tracked: the ledger holds as many blocks as it may
  std::uint64_t cache_frees = 0;     // of the unknown frees, those by which a thread that ends gives its cache back
  bool operator==(const Surprises&) const = default;
};

struct MemoryTick {
  std::uint64_t start_ns = 0, end_ns = 0;
  std::uint64_t events = 0;
  std::vector<TickRow> rows;      // by series, ascending; only series that changed
  std::vector<ScaledRow> scaled;  // one per row if sampled, else empty
  std::vector<LifetimeRow> lifetimes;
  std::vector<MovedRow> moved;
  std::vector<PeakRow> peaks;
  Surprises surprises;
  bool operator==(const MemoryTick&) const = default;
};

struct LiveBlock {
  std::uint64_t address, size;
  std::uint64_t birth_ns;
  std::uint32_t series;
  Tid tid;
  bool part;  // a further piece of a mapping that has been cut: bytes, but not one more block
  bool operator==(const LiveBlock&) const = default;
};

}  // namespace dwell
