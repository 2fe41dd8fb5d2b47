// SPDX-License-Identifier: Apache-2.0
// jemalloc's thread caches: regions in them are free, and look allocated in their slab.
//
// A cache is an array of records in the thread's local storage, one a size class. Each has a stack of free
// regions, in memory that jemalloc took from itself; the stacks of all classes lie one behind the other.
//   since 5.3   where the stack begins, and the low 16 bits of the addresses where it would be full and empty
//   before      how many regions there are, and where the stack ends; the records of large classes lie apart
//   from the others
#pragma once

#include <absl/container/flat_hash_set.h>

#include <array>
#include <cstdint>
#include <vector>

#include "userspace/memory/heap/heap.h"
#include "userspace/memory/heap/jemalloc_tree.h"

namespace dwell::memory::heap {

struct CacheStack {
  std::uint64_t at = 0;  // the first region in it
  int used = -1;         // regions; -1: the record is none
};

struct CacheBin {
  std::array<std::uint64_t, 3> words;

  CacheStack stack(const JemallocLayout& layout) const;
};

struct CachePlace {  // of a cache's records
  std::uint64_t address;
  std::size_t bins;
};

struct JemallocCaches {
  std::size_t caches = 0;
  std::vector<CachePlace> places;
  absl::flat_hash_set<std::uint64_t> regions;
  // An address in each stack of free regions, in order: beside those each keeps what was handed out from it,
  // which holds nothing.
  std::vector<std::uint64_t> stacks;
};

JemallocCaches find_jemalloc_caches(const Target& target, const JemallocLayout& layout);

}  // namespace dwell::memory::heap
