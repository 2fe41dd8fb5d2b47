// SPDX-License-Identifier: Apache-2.0
// A program that knows its own heap (tests/targets/heap_blocks.c), and a walk over that heap from outside.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/end_to_end/harness.h"
#include "tests/targets/heap_blocks.h"
#include "userspace/memory/heap/heap.h"

namespace dwell::testing {

class HeapBlocks {
 public:
  // `command`: the program, and what goes before its own arguments.
  HeapBlocks(std::vector<std::string> command, const std::string& mode, const std::vector<std::string>& environment = {});
  pid_t pid() const { return program_->pid(); }
  Program& program() { return *program_; }
  const hb_truth& truth() const { return *truth_; }

 private:
  TemporaryFolder folder_;
  std::unique_ptr<Program> program_;
  const hb_truth* truth_ = nullptr;
};

struct Walked {
  bool found = false;
  std::string name;
  std::size_t arenas = 0;
  std::map<std::uint64_t, std::uint64_t> live;  // address to usable size
  std::uint64_t free_bytes = 0;                 // whole chunks, tops and fastbins included, thread caches not
  std::uint64_t live_bytes = 0, cached_bytes = 0;
  std::uint64_t system_bytes = 0;               // of all arenas, as they say
  bool in_order = true;                         // addresses only rise
  memory::heap::WalkQuality quality;
  std::vector<memory::heap::Checksum> checksums;
};
Walked walk_heap(pid_t pid);

// How many of the program's own blocks were not seen, or with another size. `slots`: an aligned block may begin behind the start
// of its slot, as the allocator keeps no note of where; it has to end where its slot does.
std::size_t missed(const hb_truth& truth, const Walked& walked, bool slots = false);

}  // namespace dwell::testing
