// SPDX-License-Identifier: Apache-2.0
// One look at the memory of a running process: its heaps block by block, and what its RSS consists of. The process is
// neither stopped nor written to.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/memory/account/account.h"
#include "userspace/memory/heap/census.h"
#include "userspace/memory/heap/heap.h"
#include "userspace/memory/heap/inventory.h"
#include "userspace/process/process.h"
#include "userspace/process/runtime_memory.h"

namespace dwell::memory {

struct LookOptions {
  pid_t pid = 0;
  std::uint64_t max_read_per_s = std::uint64_t{1} << 30;  // bytes; 0: as fast as it goes
  bool walk = true;    // false: only what the mappings tell
  std::vector<RuntimeMemory> runtimes = {};  // that manage memory of their own, as far as those know who do
  bool types = false;  // what is in live blocks: reads their first words, too
};

struct HeapLook {
  std::string name;  // "glibc 2.36"
  std::vector<heap::Arena> arenas;
  heap::Inventory inventory;
  std::optional<heap::Census> census;  // if it was asked for
  heap::WalkQuality quality;
  std::vector<heap::Checksum> checksums;
  bool records_in_break = false;  // Heap::keeps_records_in_break()
};

struct MemoryLook {
  ProcessFacts process;
  std::vector<HeapLook> heaps;
  std::string no_heap;  // why there is none; "" if there is
  std::string unread_allocator;  // a library whose heap could not be read: its blocks are not counted; "" if there is none
  Account account;
  std::vector<ThreadStack> stacks;
  OwnedMemory owned;  // what the account was made of
  std::uint64_t duration_ns = 0, paused_ns = 0, own_cpu_ns = 0;
  std::uint64_t bytes_read = 0, swapped_pages = 0;
  bool pages_known = true;  // false: pages that the process had not touched may have been touched
};

Result<MemoryLook> look_at_memory(const LookOptions& options);

}  // namespace dwell::memory
