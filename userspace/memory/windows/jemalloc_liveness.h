// SPDX-License-Identifier: Apache-2.0
// Whether blocks of jemalloc live: by the bit of their region in its slab, or the state of their extent, and
// by the threads' caches, whose regions look allocated in their slab.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include <memory>
#include <optional>
#include <vector>

#include "symbolizer/proc_maps.h"
#include "userspace/memory/heap/jemalloc_caches.h"
#include "userspace/memory/heap/jemalloc_tree.h"
#include "userspace/memory/windows/look.h"
#include "userspace/process/process_memory.h"

namespace dwell::memory::windows {

class JemallocLiveness : public LivenessReader {
 public:
  // Null: no jemalloc whose structures are known.
  static std::unique_ptr<JemallocLiveness> open(const ProcessMemory& memory,
                                                const std::vector<Mapping>& mappings);
  void look(std::span<const Question> questions, std::span<Look> looks) override;

 private:
  JemallocLiveness(const ProcessMemory& memory, const heap::JemallocRoot& root,
                   std::vector<heap::CachePlace> caches)
      : memory_(memory), root_(root), caches_(std::move(caches)) {}
  std::uint64_t leaf_of(std::uint64_t address);
  std::vector<std::uint64_t> records_of(std::span<const Question> questions, std::span<Look> looks);
  absl::flat_hash_set<std::uint64_t> cached() const;

  const ProcessMemory& memory_;
  heap::JemallocRoot root_;
  std::vector<heap::CachePlace> caches_;
  absl::flat_hash_map<std::uint64_t, std::uint64_t> leaves_;  // by address >> 30
};

}  // namespace dwell::memory::windows
