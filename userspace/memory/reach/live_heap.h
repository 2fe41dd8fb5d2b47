// SPDX-License-Identifier: Apache-2.0
// LiveHeap: all live blocks of a process at one moment, and where the words lie that may hold them.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/memory/account/smaps.h"
#include "userspace/memory/account/thread_stacks.h"
#include "userspace/memory/heap/careful_reader.h"
#include "userspace/memory/heap/heaps.h"
#include "userspace/memory/reach/block_index.h"
#include "userspace/memory/reach/registers.h"

namespace dwell::memory::reach {

class LiveHeap {
 public:
  // Reads mappings, heaps and registers anew. `doing` is for messages: "find leaks of PID 7".
  static Result<std::unique_ptr<LiveHeap>> read(const std::string& doing, heap::CarefulReader& reader, RegisterReader& registers);
  LiveHeap(const LiveHeap&) = delete;

  const heap::Target& target() const { return target_; }
  const std::string& allocator() const { return allocator_; }
  const std::vector<heap::Range>& ranges() const { return ranges_; }
  const std::vector<MappingUse>& uses() const { return uses_; }
  const std::vector<ThreadRegisters>& threads() const { return threads_; }
  // Stack pointers are those of the registers; 0 where the thread ran.
  const std::vector<ThreadStack>& stacks() const { return stacks_; }
  const BlockIndex& index() const { return *index_; }
  BlockIndex take_index() { return std::move(*index_); }
  // Where roots may be: all writable memory but the heaps, and what is below stack pointers.
  std::vector<heap::Range> root_ranges() const;
  std::uint64_t live_bytes() const { return live_bytes_; }

 private:
  explicit LiveHeap(heap::CarefulReader& reader) : target_{reader.memory(), reader.pages(), mappings_} {}
  void add_blocks(heap::FoundHeaps& found);
  void add_block(const heap::Block& block);
  void find_stacks();

  std::vector<MappingUse> uses_;
  std::vector<Mapping> mappings_;
  heap::Target target_;
  std::string allocator_;
  std::vector<heap::Range> ranges_, own_data_, unknown_;  // own_data_: of the allocators
  std::vector<ThreadRegisters> threads_;
  std::vector<ThreadStack> stacks_;
  std::optional<BlockIndex> index_;
  std::uint64_t live_bytes_ = 0;
};

}  // namespace dwell::memory::reach
