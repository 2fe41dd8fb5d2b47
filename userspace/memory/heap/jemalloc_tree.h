// SPDX-License-Identifier: Apache-2.0
// jemalloc 5.3's page map, found without symbols: a radix tree of two levels that leads from each page to its extent.
//
//   root   2^18 words in the library's (or a static program's) zeroed data: index address >> 30
//   leaf   2^18 words: index (address >> 12) & 0x3ffff; of an extent that is no slab only the first and the last page
//   word   szind:16 | address of the extent's record: bits 47..7 | state: bits 4..2 | slab: bit 0
//
// The root is recognized by what it leads to: records of extents that contain the page that led there.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "userspace/memory/heap/heap.h"

namespace dwell::memory::heap {

constexpr std::size_t kTreeWords = 1 << 18;
constexpr std::uint64_t kLeafCovers = std::uint64_t{1} << 30;

// The record of an extent, as it lies in memory.
struct ExtentRecord {
  std::uint64_t bits, address, size_and_serial;
  std::uint64_t between[5];
  std::uint64_t free[8];  // of a slab: a bit for each region, 1: free

  std::uint32_t arena() const { return bits & 0xfff; }
  bool slab() const { return bits >> 12 & 1; }
  std::uint32_t state() const { return bits >> 17 & 7; }  // 0: active
  std::uint32_t size_class() const { return bits >> 20 & 0xff; }
  std::uint32_t regions_free() const { return bits >> 28 & 0x3ff; }
  std::uint64_t size() const { return size_and_serial & ~(kPageSize - 1); }
  std::uint64_t start() const { return address & ~(kPageSize - 1); }
};
static_assert(sizeof(ExtentRecord) == 128);

struct TreeWord {
  std::uint64_t bits;
  std::uint64_t record() const {
    // Sign-extended from bit 47, as addresses are; ours are of user space.
    return bits & 0x7fffffffff80;
  }
  std::uint32_t size_class() const { return static_cast<std::uint32_t>(bits >> 48); }
  bool slab() const { return bits & 1; }
};

// 8, 16, 32, 48, 64, then four to a doubling.
std::uint64_t jemalloc_class_size(std::uint32_t index);

// Where the root lies.
std::optional<std::uint64_t> find_jemalloc_root(const Target& target);

}  // namespace dwell::memory::heap
