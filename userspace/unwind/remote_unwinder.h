// SPDX-License-Identifier: Apache-2.0
// RemoteUnwinder: stacks of a process from outside, given a thread's registers and a way to read its memory.
//
// The walk is the one that the BPF programs do, over full tables.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "bpf/events.h"
#include "symbolizer/proc_maps.h"
#include "userspace/base/result.h"
#include "userspace/unwind/unwind_tables.h"

namespace dwell {

struct ThreadRegisters {
  std::uint64_t pc, sp, bp;
  // False: pc is a return address, as behind a system call.
  bool exact = true;
  // All from sp to here can be read at once; 0: not known.
  std::uint64_t readable_to = 0;
  std::uint64_t thread_pointer = 0;  // fs; 0: not known
};

struct RemoteFrame {
  std::uint64_t pc;
  bool exact;  // no return address: the thread stands here, or a signal interrupted it here
  std::uint64_t sp = 0, bp = 0;  // as they are in this frame
};

struct RemoteStack {
  std::vector<RemoteFrame> frames;  // leaf first
  dwell_stack_end end;
};

// Reads `size` bytes at `address` into `to`; false if not all of them can be read.
using MemoryReader = std::function<bool(std::uint64_t address, void* to, std::size_t size)>;

class RemoteUnwinder {
 public:
  static RemoteUnwinder create(pid_t pid, std::span<const Mapping> mappings);

  // What could not be loaded, and why.
  const std::vector<UnwindProblem>& problems() const { return problems_; }

  RemoteStack unwind(const ThreadRegisters& registers, const MemoryReader& read) const;

 private:
  explicit RemoteUnwinder(UnwindTables tables) : tables_(std::move(tables)) {}

  UnwindTables tables_;
  std::vector<UnwindProblem> problems_;
};

// One walk over tables in ordinary memory; what RemoteUnwinder and the walker's unit tests have in common.
RemoteStack walk_stack(const TableMemory& memory, std::uint32_t slot, const dwell_stack_start& start,
                       const MemoryReader& read, std::uint64_t trampoline = 0,
                       std::span<const dwell_return_probe> return_probes = {}, std::uint64_t readable_to = 0,
                       std::uint64_t thread_pointer = 0);

}  // namespace dwell
