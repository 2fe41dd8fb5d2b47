// SPDX-License-Identifier: Apache-2.0
// Whether blocks of glibc's malloc live, by their chunks alone: the next chunk's header, the key of thread caches, and
// fastbins. Versions with a key: 2.29 and newer.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <sys/types.h>

#include <memory>
#include <vector>

#include "symbolizer/proc_maps.h"
#include "userspace/memory/heap/free_lists.h"
#include "userspace/memory/heap/glibc_arena.h"
#include "userspace/memory/windows/look.h"
#include "userspace/process/process_memory.h"

namespace dwell::memory::windows {

class GlibcLiveness : public LivenessReader {
 public:
  // Null: glibc's malloc is not in use. As long as the key of thread caches is not known, which a program that frees nothing does not
  // tell, small blocks that look as if they were in one are unknown.
  static std::unique_ptr<GlibcLiveness> open(const ProcessMemory& memory, const std::vector<Mapping>& mappings);
  void take_key(const GlibcLiveness& before) { key_ = before.key_; }
  void look(std::span<const Question> questions, std::span<Look> looks) override;

 private:
  struct Head {  // as it lies before a block
    std::uint64_t prev_size, size_and_flags;
    Words words;
    std::uint64_t size() const { return size_and_flags & ~std::uint64_t{7}; }
    bool mapped() const { return size_and_flags & 2; }
  };
  GlibcLiveness(const ProcessMemory& memory, heap::GlibcArenas arenas, std::vector<heap::Segment> segments, heap::FreeLists lists)
      : memory_(memory), arenas_(std::move(arenas)), segments_(std::move(segments)), lists_(std::move(lists)) {}

  bool knows_key() const { return key_ != 0 || lists_.knows_key(); }
  bool may_be_cached(const Question& question, const Head& head) const;
  void learn_key(const Question& question, const Head& head);
  BlockState judge(const Question& question, const Head& head) const;
  BlockState fastbin_state(const Question& question, const Head& head, int& links) const;  // `links`: that may still be followed
  bool is_chunk_of(std::uint64_t chunk, std::uint64_t size) const;
  bool may_be_heap(std::uint64_t address) const;

  const ProcessMemory& memory_;
  heap::GlibcArenas arenas_;
  std::vector<heap::Segment> segments_;
  heap::FreeLists lists_;
  std::uint64_t key_ = 0;
  bool mangled_ = true;  // links in free lists, since 2.32
  absl::flat_hash_map<std::uint64_t, std::vector<std::uint64_t>> candidates_;  // words that may be the key: blocks that have them
};

}  // namespace dwell::memory::windows
