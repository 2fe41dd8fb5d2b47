// SPDX-License-Identifier: Apache-2.0
// FreeLists: which chunks are free although the next chunk's header says that they are in use: those in
// thread caches and fastbins.
//
//   thread caches   a block in one has a key in its second word, cleared when it is handed out: the address
//                   of the thread's cache (2.29 to 2.33), or one random word of the process (2.34 and newer).
//                   Before 2.29 there is no key, and the lists have to be followed: each as far as its count
//                   says, and it counts only if that is where it ends and count and head are the same
//                   afterwards.
//   fastbins        lists in each arena; links are mangled since 2.32: (place of the link >> 12) ^ link
#pragma once

#include <absl/container/flat_hash_set.h>

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "userspace/memory/heap/glibc_arena.h"
#include "userspace/memory/heap/glibc_segments.h"

namespace dwell::memory::heap {

// How the per-thread structure is laid out, told by the size of its chunk.
struct CacheLayout {
  std::uint64_t chunk_size;
  std::size_t bins;
  std::size_t count_bytes;  // of one counter
  bool counts_room;         // 2.42 and newer: how many more fit, instead of how many there are
  std::size_t entries() const { return (bins * count_bytes + 7) / 8 * 8; }
};

// How the links of free lists read.
enum class Links : std::uint8_t { kEither, kPlain, kMangled };  // kEither: the version is not known
Links links_of(std::string_view version);

// A list of a thread's cache.
struct CacheList {
  std::uint64_t head_at = 0, head = 0;  // where the head stands; the first block
  std::uint64_t count_at = 0;
  std::size_t count_bytes = 0;  // 0: there is no count of blocks (2.42 and newer)
};

class FreeLists {
 public:
  explicit FreeLists(Links links = Links::kEither) : links_(links) {}
  BlockState state_of(std::uint64_t block, std::uint64_t word1) const {
    if (key_ && word1 == key_) return BlockState::kThreadCache;
    if (!cache_keys_.empty() && cache_keys_.contains(word1)) return BlockState::kThreadCache;
    if (!cached_.empty() && cached_.contains(block)) return BlockState::kThreadCache;
    if (!fast_.empty() && fast_.contains(block)) return BlockState::kFastbin;
    return BlockState::kLive;
  }

  void add_fastbins(const ProcessMemory& memory, const GlibcLayout& layout, const GlibcArena& arena,
                    const std::vector<Segment>& segments);
  // A block of the program's that may be a thread's cache. True if it is one.
  bool add_cache(const ProcessMemory& memory, std::uint64_t block, std::uint64_t usable,
                 const std::vector<Segment>& segments);
  // When all are added: what tells a block in a cache.
  void conclude();

  // Whether one key is known that tells for every block, without all caches having been seen.
  bool knows_key() const { return key_ != 0; }
  std::size_t caches() const { return caches_.size(); }

 private:
  std::optional<std::uint64_t> next_of(const ProcessMemory& memory, std::uint64_t link_at,
                                       std::uint64_t chunk_size, std::uint64_t to_block,
                                       const std::vector<Segment>& segments) const;
  void follow(const ProcessMemory& memory, const CacheList& list, const std::vector<Segment>& segments);

  Links links_;
  std::uint64_t key_ = 0;
  absl::flat_hash_set<std::uint64_t> cache_keys_, cached_, fast_;
  std::vector<std::uint64_t> caches_;
  std::vector<std::uint64_t> seen_keys_;  // second words of what is in the caches
  std::size_t own_keys_ = 0;              // of those: the address of the cache itself
};

}  // namespace dwell::memory::heap
