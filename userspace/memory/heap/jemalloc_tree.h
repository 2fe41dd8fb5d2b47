// SPDX-License-Identifier: Apache-2.0
// The page map of jemalloc 5, found without symbols: a radix tree of two levels that leads from each page to
// its extent.
//
//   root   2^18 words in the library's (or a static program's) zeroed data: index address >> 30
//   leaf   2^18 words: index (address >> 12) & 0x3ffff; of an extent that is no slab only the first and the
//   last page word   szind:16 | address of the extent's record: bits 47..6 | since 5.3 state: bits 4..2 |
//   slab: bit 0
//
// The root is recognized by what it leads to: records of extents that contain the page that led there. By
// those the version is recognized, too: words and records agree on size classes in only one of the layouts.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "userspace/memory/heap/heap.h"

namespace dwell::memory::heap {

constexpr std::size_t kTreeWords = 1 << 18;
constexpr std::uint64_t kLeafCovers = std::uint64_t{1} << 30;

// Where the fields of the first word of an extent's record begin, and how its thread caches count.
struct JemallocLayout {
  std::string_view version;
  unsigned state, state_bits, size_class, regions_free;
  bool counts_cached;  // a bin of a thread cache has a count; since 5.3, the place where its stack would be
                       // empty
};
// 5.3: include/jemalloc/internal/edata.h. Before: extent_structs.h; 5.0 has no bit for "dumpable".
inline constexpr std::array<JemallocLayout, 3> kJemallocLayouts{{
    {"5.3", 17, 3, 20, 28, false},
    {"5.1 or 5.2", 16, 2, 18, 26, true},
    {"5.0", 15, 2, 17, 25, true},
}};

// The record of an extent, as it lies in memory.
struct ExtentRecord {
  std::uint64_t bits, address, size_and_serial;
  std::uint64_t between[5];
  std::uint64_t free[8];  // of a slab: a bit for each region, 1: free

  std::uint32_t arena() const { return bits & 0xfff; }
  bool slab() const { return bits >> 12 & 1; }
  std::uint32_t state(const JemallocLayout& layout) const {
    return bits >> layout.state & ((1u << layout.state_bits) - 1);
  }  // 0: active
  std::uint32_t size_class(const JemallocLayout& layout) const { return bits >> layout.size_class & 0xff; }
  std::uint32_t regions_free(const JemallocLayout& layout) const {
    return bits >> layout.regions_free & 0x3ff;
  }
  std::uint64_t size() const { return size_and_serial & ~(kPageSize - 1); }
  std::uint64_t start() const { return address & ~(kPageSize - 1); }
};
static_assert(sizeof(ExtentRecord) == 128);

struct TreeWord {
  std::uint64_t bits;
  std::uint64_t record() const {
    // Sign-extended from bit 47, as addresses are; ours are of user space.
    return bits & 0x7fffffffffc0;
  }
  std::uint32_t size_class() const { return static_cast<std::uint32_t>(bits >> 48); }
  bool slab() const { return bits & 1; }
};

// 8, 16, 32, 48, 64, then four to a doubling.
std::uint64_t jemalloc_class_size(std::uint32_t index);

struct JemallocRoot {
  std::uint64_t address;
  JemallocLayout layout;
};
// None: there is no jemalloc 5, or it was never used.
std::optional<JemallocRoot> find_jemalloc_root(const Target& target);

}  // namespace dwell::memory::heap
