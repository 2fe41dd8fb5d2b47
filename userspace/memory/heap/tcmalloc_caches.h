// SPDX-License-Identifier: Apache-2.0
// tcmalloc's caches: objects in them are free, and count as in use in their span.
//
//   of threads   128 records of 32 bytes, one a size class: a list, how long it is, and the size of its objects
//   central      128 records of 1216 bytes in zeroed data: the number of the class, spans, and 64 places for whole lists
//
// A list counts only if it is as long as it says and its head stayed the same while it was followed.
#pragma once

#include <absl/container/flat_hash_set.h>

#include <cstdint>

#include "userspace/memory/heap/tcmalloc_map.h"

namespace dwell::memory::heap {

struct TcmallocCaches {
  std::size_t threads = 0;
  absl::flat_hash_set<std::uint64_t> of_threads, central;
  std::uint64_t lists_said = 0, lists_found = 0;  // objects
};

TcmallocCaches find_tcmalloc_caches(const Target& target, const TcmallocSpans& spans);

}  // namespace dwell::memory::heap
