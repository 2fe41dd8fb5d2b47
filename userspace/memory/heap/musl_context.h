// SPDX-License-Identifier: Apache-2.0
// musl's allocator of 1.2.1 and newer ("mallocng"), found without symbols.
//
//   context ─▶ meta areas, each a page: the context's secret, the next area, 101 metas
//   meta    ─▶ group: its meta's address, then up to 32 slots of one size; which of them are free is told by two masks
//
// A group may lie in a slot of a larger group, or in data of modules that was left over.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "userspace/memory/heap/heap.h"

namespace dwell::memory::heap {

constexpr std::uint64_t kMuslUnit = 16;
constexpr std::size_t kMuslClasses = 48;

// As it lies in memory.
struct MuslMeta {
  std::uint64_t previous, next, group;
  std::uint32_t available, freed;  // masks of slots: never used since they became free, freed
  std::uint64_t bits;

  std::uint32_t slots() const { return (bits & 31) + 1; }
  std::uint32_t size_class() const { return bits >> 6 & 63; }
  bool counts() const { return bits >> 5 & 1; }  // in the context's sums; not what was left over in data of modules
  std::uint64_t mapped() const { return (bits >> 12) * kPageSize; }  // bytes; 0: in a slot, or in data of modules
  bool is_free(std::uint32_t slot) const { return (available | freed) >> slot & 1; }
  std::uint64_t stride() const;  // 0: no such class
  std::uint64_t end() const { return mapped() ? group + mapped() : group + kMuslUnit + stride() * slots(); }
};
static_assert(sizeof(MuslMeta) == 40);

struct MuslHeap {
  std::vector<std::uint64_t> areas;
  std::vector<MuslMeta> groups;  // those that are in use, in address order
  std::uint64_t said_slots = 0;  // of all classes, as the context has it
};

// None: there is no such allocator, or it was never used.
std::optional<MuslHeap> find_musl_heap(const Target& target);

}  // namespace dwell::memory::heap
