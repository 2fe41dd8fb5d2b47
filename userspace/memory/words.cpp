// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/words.h"

#include <fmt/core.h>

#include <cmath>

#include "ui/escape.h"
#include "ui/values.h"
#include "userspace/base/text.h"

namespace dwell {

std::string bytes_text(double bytes, double standard_error) {
  std::string text = human_bytes(bytes);
  if (standard_error > 0 && bytes != 0)
    text += fmt::format(" ±{:.0f} %", std::ceil(100 * standard_error / std::abs(bytes)));
  return text;
}

std::string signed_bytes(double bytes) { return (bytes > 0 ? "+" : "") + human_bytes(bytes); }

std::string count_text(double count) { return grouped(std::llround(count)); }

std::string signed_count(double count) { return (count > 0 ? "+" : "") + count_text(count); }

std::string rate_text(const std::optional<double>& bytes_per_minute) {
  return bytes_per_minute ? signed_bytes(*bytes_per_minute) : "-";
}

std::string age_text(const std::optional<std::uint64_t>& age_ns) {
  return age_ns ? human_duration(*age_ns) : "-";
}

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

std::string counted(std::size_t count, const std::string& noun) {
  return grouped(static_cast<std::int64_t>(count)) + " " + noun + (count == 1 ? "" : "s");
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

std::string process_text(const ProcessInfo& process) {
  return fmt::format("{} ({})", process.name.empty() ? "process" : printable(process.name), process.pid);
}

}  // namespace dwell
