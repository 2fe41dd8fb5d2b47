// SPDX-License-Identifier: Apache-2.0
// mimalloc 2's segments, found without symbols.
//
//   segment   at a multiple of 32 MiB, divided into slices of 64 KiB: a head, then one record a slice
//   page      some slices with blocks of one size. Its record is that of its first slice: how many blocks there are, and three
//             lists of free ones, linked through the blocks
//
// Where the records lie is learned from the head: how many slices there are stands before them twice, and the records have to
// lead from the first slice to the last.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "userspace/memory/heap/heap.h"

namespace dwell::memory::heap {

constexpr std::uint64_t kMimallocSlice = 64 << 10, kMimallocSegment = 32 << 20;

// How one version lays out its records.
struct MimallocLayout {
  std::uint64_t records = 0;       // from the segment's start
  std::uint64_t record_size = 0;
  bool tells_start = false;        // from 2.1.4 on: a record has the address of its first block
  std::uint8_t mapped = 0;         // 3: records are found by a map of the address space; which of their layouts, from 1 on
  bool operator==(const MimallocLayout&) const = default;
};

struct MimallocPage {
  std::uint64_t record = 0;  // its address
  std::uint64_t slices_start = 0, slices_end = 0;
  std::uint64_t start = 0;   // of the first block; 0: not told
  std::uint64_t block_size = 0;  // 0: no page, but free slices
  std::uint32_t capacity = 0, reserved = 0, used = 0;
  std::uint64_t free = 0, local_free = 0, thread_free = 0;  // heads of lists
  std::uint64_t heap = 0;
  std::array<std::uint64_t, 2> keys{};  // 0: links are plain
  bool operator==(const MimallocPage&) const = default;
};

struct MimallocSegment {
  std::uint64_t address = 0, size = 0;
  std::uint64_t info = 0;  // bytes of the head and the records
  std::uint64_t thread = 0;
  std::vector<MimallocPage> pages;  // in address order
};

struct MimallocSegments {
  MimallocLayout layout;
  std::vector<MimallocSegment> all;  // in address order
};

// None: there is no such allocator, or it was never used.
std::optional<MimallocSegments> find_mimalloc_segments(const Target& target);

// The record of a page as it is now; `known`: as it was.
std::optional<MimallocPage> read_mimalloc_page(const ProcessMemory& memory, const MimallocLayout& layout,
                                               std::uint64_t segment, const MimallocPage& known);

}  // namespace dwell::memory::heap
