// SPDX-License-Identifier: Apache-2.0
// Memory that a language's runtime manages by itself, by what it is used for. Addresses of one process, in ascending order;
// what of it is in memory is another question.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

namespace dwell {

struct MemoryRange {
  std::uint64_t begin = 0, end = 0;
  bool operator==(const MemoryRange&) const = default;
};

struct RuntimeMemory {
  std::vector<MemoryRange> objects;  // spans that have some, or had when they were last collected
  std::vector<MemoryRange> stacks;   // of goroutines, with those kept for the next ones, and what the collector works with
  std::vector<MemoryRange> idle;     // of the heap, and used for nothing
};

}  // namespace dwell
