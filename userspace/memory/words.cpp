// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/words.h"

#include <cmath>

namespace dwell {

std::string kind_title(MemoryKind kind) {
  switch (kind) {
    case MemoryKind::kHeap:
      return "Heap";
    case MemoryKind::kMapping:
      return "Mapped memory";
    case MemoryKind::kFile:
      return "Mapped files";
    case MemoryKind::kReserved:
      return "Reserved address space";
  }
  return "Memory";
}

double net_bytes(const MemoryFigures& figures) {
  return figures.allocated_bytes + figures.inherited_bytes - figures.freed_bytes - figures.dropped_bytes;
}

MemoryFigures operator+(const MemoryFigures& a, const MemoryFigures& b) {
  MemoryFigures sum;
  sum.retained_bytes = a.retained_bytes + b.retained_bytes;
  sum.retained_blocks = a.retained_blocks + b.retained_blocks;
  sum.retained_error = std::hypot(a.retained_error, b.retained_error);
  sum.allocated_bytes = a.allocated_bytes + b.allocated_bytes;
  sum.allocations = a.allocations + b.allocations;
  sum.freed_bytes = a.freed_bytes + b.freed_bytes;
  sum.frees = a.frees + b.frees;
  sum.temporary_blocks = a.temporary_blocks + b.temporary_blocks;
  sum.temporary_bytes = a.temporary_bytes + b.temporary_bytes;
  sum.peak_bytes = a.peak_bytes + b.peak_bytes;
  sum.peak_blocks = a.peak_blocks + b.peak_blocks;
  sum.inherited_bytes = a.inherited_bytes + b.inherited_bytes;
  sum.inherited_blocks = a.inherited_blocks + b.inherited_blocks;
  sum.dropped_bytes = a.dropped_bytes + b.dropped_bytes;
  sum.dropped_blocks = a.dropped_blocks + b.dropped_blocks;
  return sum;
}

}  // namespace dwell
