// SPDX-License-Identifier: Apache-2.0
// What happened to the target's memory, as the ledger sees it: typed, decoded, with the stack already interned.
//
// Times are CLOCK_MONOTONIC nanoseconds. An address is the target's, and means something only together
// with its process.
#pragma once

#include <cstdint>
#include <variant>

#include "userspace/recording/ids.h"

namespace dwell {

// What kind of memory a block is. Kinds are never added up into one another.
enum class MemoryKind : std::uint8_t {
  kHeap,      // malloc and all its relatives
  kMapping,   // mmap of anonymous memory by the program itself, and brk
  kFile,      // mmap of a file
  kReserved,  // mmap without any access (PROT_NONE): address space, not memory
};
inline constexpr int kMemoryKinds = 4;

struct Alloc {
  std::uint64_t time_ns, address, size;
  StackId stack;
  Tid tid;
  ProcessSlot process;
};

struct Free {
  std::uint64_t time_ns, address;
  Tid tid;
  ProcessSlot process;
  bool inner;  // sent from inside another probed function: no match is no surprise
};

// realloc() owns the block between Begin and End; other threads may be given its address before End.
struct ReallocBegin {
  std::uint64_t time_ns, address;
  Tid tid;
  ProcessSlot process;
};
struct ReallocEnd {
  std::uint64_t time_ns, old_address, address, size;  // address 0: failed if size > 0, freed if size == 0
  StackId stack;
  Tid tid;
  ProcessSlot process;
};

// Address space taken or given back by the program itself. Sizes are whole pages, in bytes; brk's are exact.
struct Map {
  std::uint64_t time_ns, address, size;
  std::uint64_t old_address, old_size;  // mremap: the range that this one replaces; else 0
  MemoryKind kind;
  StackId stack;
  Tid tid;
  ProcessSlot process;
};
struct Unmap {
  std::uint64_t time_ns, address, size;
  Tid tid;
  ProcessSlot process;
};

struct ThreadExit {
  std::uint64_t time_ns;
  Tid tid;
  ProcessSlot process;
};

struct Fork {  // the child starts with a copy of all that the parent has
  std::uint64_t time_ns;
  ProcessSlot parent, child;
};
struct Exec {  // the process keeps its id and loses all of its memory
  std::uint64_t time_ns;
  ProcessSlot process;
};
struct ProcessExit {
  std::uint64_t time_ns;
  ProcessSlot process;
};

using Event = std::variant<Alloc, Free, ReallocBegin, ReallocEnd, Map, Unmap, Fork, ThreadExit, Exec, ProcessExit>;

}  // namespace dwell
