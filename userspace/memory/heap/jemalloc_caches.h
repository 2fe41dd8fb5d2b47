// SPDX-License-Identifier: Apache-2.0
// jemalloc's thread caches: regions in them are free, and look allocated in their slab.
//
// A cache is an array of records in the thread's local storage, one a size class: where its stack of free regions begins,
// and the low 16 bits of the addresses where that would be empty.
#pragma once

#include <absl/container/flat_hash_set.h>

#include <cstdint>
#include <vector>

#include "userspace/memory/heap/heap.h"

namespace dwell::memory::heap {

struct CacheBin {
  std::uint64_t head, requests;
  std::uint16_t low_water, full, empty, unused;

  // How many regions are in it; -1: no bin.
  int used() const;
};
static_assert(sizeof(CacheBin) == 24);

struct CachePlace {  // of a cache's records
  std::uint64_t address;
  std::size_t bins;
};

struct JemallocCaches {
  std::size_t caches = 0;
  std::vector<CachePlace> places;
  absl::flat_hash_set<std::uint64_t> regions;
  // Where the stacks of free regions lie, in order: below its head each keeps what was handed out from it, which holds nothing.
  std::vector<std::uint64_t> stacks;
};

JemallocCaches find_jemalloc_caches(const Target& target);

}  // namespace dwell::memory::heap
