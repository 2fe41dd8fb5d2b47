// SPDX-License-Identifier: Apache-2.0
// Heap: what an allocator of a running process holds, block by block, told by the allocator's own structures. One
// interface for all allocators.
//
// Everything that is read is data of the process, which may be hostile and which runs meanwhile: readers bound their time
// and memory by the size of what is mapped, and count what they could not make sense of.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "symbolizer/proc_maps.h"
#include "userspace/base/result.h"
#include "userspace/memory/heap/page_states.h"
#include "userspace/process/process_memory.h"

namespace dwell::memory::heap {

enum class BlockState : std::uint8_t {
  kLive,         // the program has it
  kMapped,       // the program has it, and it is a mapping of its own
  kFree,         // in the allocator's lists
  kThreadCache,  // free, kept for one thread
  kFastbin,      // free, kept unmerged
  kTop,          // the unused end of a heap
  kMetadata,     // the allocator's own, and what alignment costs; headers of blocks are not in here but counted
  kUnknown,      // could not be read, or made no sense
  kStates,
};
constexpr std::size_t kBlockStates = static_cast<std::size_t>(BlockState::kStates);
std::string_view name_of(BlockState state);
inline bool is_live(BlockState state) { return state <= BlockState::kMapped; }

struct Block {
  std::uint64_t address;  // what malloc returned, or would return
  std::uint64_t usable;   // bytes, as malloc_usable_size tells
  std::uint32_t header;   // bytes before `address` that are the allocator's
  std::uint32_t arena;    // index in Heap::arenas()
  BlockState state;
};

struct Arena {
  std::uint64_t address = 0;
  std::uint64_t system_bytes = 0;  // what it says to have from the kernel
  bool main = false;  // glibc: the one that grows by brk
};

struct Range {
  std::uint64_t start = 0, end = 0;
  bool contains(std::uint64_t address) const { return address >= start && address < end; }
};
// Behind the others, in address order; one with the last where they touch.
inline void append_range(std::vector<Range>& ranges, const Range& range) {
  if (!ranges.empty() && ranges.back().end == range.start) {
    ranges.back().end = range.end;
  } else {
    ranges.push_back(range);
  }
}
// Brings them into address order, and drops those that begin within another.
void sort_apart(std::vector<Range>& ranges);

// How well a walk went.
struct WalkQuality {
  std::uint64_t retries = 0;     // read again, because the process changed what was being read
  std::uint64_t resyncs = 0;     // lost the chain, and found it again further on
  std::uint64_t lost_bytes = 0;  // between losing and finding it: in state kUnknown
};

// A figure that the allocator keeps itself, beside ours: equal where nothing moved meanwhile.
struct Checksum {
  std::string name;
  std::uint64_t said = 0, found = 0;
};

class Heap {
 public:
  virtual ~Heap() = default;
  virtual std::string name() const = 0;  // "glibc 2.36"
  virtual const std::vector<Arena>& arenas() const = 0;
  // Where its blocks are, in address order, blocks with a mapping of their own included.
  virtual const std::vector<Range>& ranges() const = 0;

  // Its variables outside of those ranges: what they point to is not held by that, and may be long gone.
  virtual std::vector<Range> own_data() const { return {}; }
  // What of the break lies in no block of it are its own records.
  virtual bool keeps_records_in_break() const { return false; }
  // Every block begins at a multiple of it.
  virtual std::uint64_t alignment() const { return 16; }

  // All blocks of all states in address order, some at a time.
  using Sink = std::function<void(std::span<const Block>)>;
  virtual WalkQuality walk(const Sink& sink) = 0;
  // Of the last walk.
  virtual const std::vector<Checksum>& checksums() const = 0;
  // Whether malloc_trim(0) exists, which gives back whole free pages inside free chunks, and the main arena's top.
  virtual bool has_trim() const { return false; }
};

// What readers look at.
struct Target {
  const ProcessMemory& memory;
  const PageStates& pages;
  const std::vector<Mapping>& mappings;
};

}  // namespace dwell::memory::heap
