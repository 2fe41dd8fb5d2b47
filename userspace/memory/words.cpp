// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/words.h"

#include <fmt/core.h>

#include <cmath>

#include "ui/values.h"

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

std::string retained_blocks_text(const MemoryFigures& figures) {
  return figures.range_only || !figures.retained_known ? "-" : count_text(figures.retained_blocks);
}

std::string temporary_text(const MemoryFigures& figures) {
  return figures.estimated ? "-" : percent(figures.temporary_blocks, figures.allocations);
}

std::string peak_text(const MemoryFigures& figures) { return figures.estimated ? "-" : bytes_text(figures.peak_bytes); }

std::string freed_text(const MemoryFigures& figures) {
  return figures.range_only || !figures.retained_known ? "-" : bytes_text(figures.freed_bytes);
}

double retained_for_sure(const MemoryFigures& figures) { return figures.range_only ? figures.retained_low : figures.retained_bytes; }

std::string retained_text(const MemoryFigures& figures) {
  if (!figures.retained_known && figures.retained_bytes == 0) return "not known";
  if (figures.range_only) return fmt::format("{} to {}", bytes_text(figures.retained_low), bytes_text(figures.retained_high));
  return bytes_text(figures.retained_bytes, figures.retained_error);
}

double net_bytes(const MemoryFigures& figures) {
  return figures.allocated_bytes + figures.inherited_bytes - figures.freed_bytes - figures.dropped_bytes;
}

MemoryFigures operator+(const MemoryFigures& a, const MemoryFigures& b) {
  MemoryFigures sum;
  sum.retained_bytes = a.retained_bytes + b.retained_bytes;
  sum.retained_blocks = a.retained_blocks + b.retained_blocks;
  sum.retained_error = std::hypot(a.retained_error, b.retained_error);
  auto apart = [](double a_bytes, double a_end, double b_bytes, double b_end) { return std::hypot(a_bytes - a_end, b_bytes - b_end); };
  sum.retained_low = sum.retained_bytes - apart(a.retained_bytes, a.retained_low, b.retained_bytes, b.retained_low);
  sum.retained_high = sum.retained_bytes + apart(a.retained_bytes, a.retained_high, b.retained_bytes, b.retained_high);
  sum.estimated = a.estimated || b.estimated;
  sum.retained_known = a.retained_known && b.retained_known;
  sum.range_only = a.range_only || b.range_only;
  sum.allocated_error = std::hypot(a.allocated_error, b.allocated_error);
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
