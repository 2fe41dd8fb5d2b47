// SPDX-License-Identifier: Apache-2.0
// CarefulReader: reads the memory of a running process so that the process hardly notices.
//
// In pieces of 64 KB, each of which takes the process's mmap_lock for as long as 16 pages need; no faster than the
// bandwidth that was allowed; pages that were never touched are not touched (they read as zeros), and pages in swap are
// not brought back (reading ends there).
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

#include "userspace/memory/heap/page_states.h"
#include "userspace/process/process_memory.h"

namespace dwell::memory::heap {

class CarefulReader {
 public:
  // `bytes_per_s` 0: as fast as it goes.
  CarefulReader(pid_t pid, std::uint64_t bytes_per_s);
  CarefulReader(const CarefulReader&) = delete;

  // What the readers of heaps are given. It refers to this object.
  const ProcessMemory& memory() const { return memory_; }
  const PageStates& pages() const { return pages_; }

  std::uint64_t bytes_read() const { return bytes_read_; }
  std::uint64_t swapped_pages() const { return swapped_pages_; }  // met, and left where they are
  std::uint64_t paused_ns() const { return paused_ns_; }

 private:
  std::size_t read_some(std::uint64_t address, void* to, std::size_t size);
  std::size_t read_run(std::uint64_t address, char* to, std::size_t size) const;
  void pace(std::size_t size);

  pid_t pid_;
  std::uint64_t bytes_per_s_;
  PageStates pages_;
  ProcessMemory memory_;
  std::uint64_t bytes_read_ = 0, swapped_pages_ = 0, paused_ns_ = 0;
  std::uint64_t owed_since_ns_ = 0, owed_bytes_ = 0;
};

}  // namespace dwell::memory::heap
