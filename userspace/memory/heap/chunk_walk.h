// SPDX-License-Identifier: Apache-2.0
// Walks the chunks of a segment while the process changes them.
//
// The allocator never clears the header of a chunk that it merges into another, and writes the new header before it
// makes the old chunk smaller when it splits one: a walk that meets a change goes on along a valid old or new chain.
// Where what it reads makes no sense, it reads again from one chunk before; at last it looks for the next chain and
// counts what it skipped.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "userspace/memory/heap/block_batch.h"
#include "userspace/memory/heap/free_lists.h"
#include "userspace/memory/heap/glibc_chunk.h"
#include "userspace/memory/heap/glibc_segments.h"
#include "userspace/memory/heap/window.h"

namespace dwell::memory::heap {

class ChunkWalk {
 public:
  ChunkWalk(const ProcessMemory& memory, const GlibcArenas& arenas, const FreeLists& lists)
      : memory_(memory), arenas_(arenas), lists_(lists), window_(memory) {}

  void walk(const Segment& segment, BlockBatch& out);
  const WalkQuality& quality() const { return quality_; }

 private:
  struct Pending {  // the chunk before: whether it is live is told by the next one
    std::uint64_t address = 0, size = 0, word1 = 0;
    bool any = false;
  };
  enum class Step { kGoOn, kEnd, kTorn };

  Step step(const Segment& segment, BlockBatch& out);
  Step end_at_top(const Segment& segment, BlockBatch& out);
  bool disagrees(const Chunk& chunk, const Segment& segment) const;
  Step at_fencepost(const Segment& segment, BlockBatch& out);
  bool try_again(const Segment& segment);
  // What was before us has become part of the top.
  bool top_is_behind() const { return top_ && top_ < at_; }
  bool resync(const Segment& segment, BlockBatch& out);
  void read_top_again(const Segment& segment);
  void settle(bool in_use, BlockBatch& out);
  void emit(std::uint64_t chunk, std::uint64_t size, BlockState state, BlockBatch& out);

  const ProcessMemory& memory_;
  const GlibcArenas& arenas_;
  const FreeLists& lists_;
  Window window_;
  WalkQuality quality_;
  std::uint32_t arena_ = 0;
  std::uint64_t at_ = 0, end_ = 0, top_ = 0;
  std::uint64_t torn_at_ = 0;
  int tries_ = 0;
  std::uint64_t waits_ = 0;
  Pending pending_;
};

}  // namespace dwell::memory::heap
