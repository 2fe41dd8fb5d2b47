// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/heap/memory_ranges.h"

#include <algorithm>

#include "userspace/go/heap/arenas.h"

namespace dwell {
namespace {

enum class PageUse : std::uint8_t { kIdle, kObjects, kStacks };

void append(std::vector<MemoryRange>& ranges, std::uint64_t begin, std::uint64_t end) {
  if (!ranges.empty() && ranges.back().end == begin)
    ranges.back().end = end;
  else
    ranges.push_back({begin, end});
}

// A page's span may be one of before, whose record serves another span now.
std::vector<PageUse> uses_of_pages(const GoRuntime& runtime, const GoArena& arena) {
  constexpr std::uint8_t kInUse = 1, kManual = 2;
  std::vector<PageUse> uses(kGoArenaPages, PageUse::kIdle);
  for (const GoSpanBytes& span : read_span_bytes(runtime, arena)) {
    std::uint64_t start = field_of<std::uint64_t>(span.bytes, 24), pages = field_of<std::uint64_t>(span.bytes, 32);
    std::uint8_t state = field_of<std::uint8_t>(span.bytes, runtime.layout().span_state);
    std::uint64_t page = arena.base + span.page * kGoPage;
    bool is_its = start <= page && pages < kGoArenaPages * kMostGoArenas && page < start + pages * kGoPage;
    if (!is_its || (state != kInUse && state != kManual)) continue;
    std::uint64_t first = (std::max(start, arena.base) - arena.base) / kGoPage;
    std::uint64_t last = std::min<std::uint64_t>(kGoArenaPages, (start + pages * kGoPage - arena.base) / kGoPage);
    for (std::uint64_t i = first; i < last; ++i) uses[i] = state == kManual ? PageUse::kStacks : PageUse::kObjects;
  }
  return uses;
}

}  // namespace

RuntimeMemory go_memory_ranges(const GoRuntime& runtime) {
  RuntimeMemory memory;
  Result<std::vector<GoArena>> arenas = read_arenas(runtime);
  if (!arenas) return memory;
  for (const GoArena& arena : *arenas) {
    std::vector<PageUse> uses = uses_of_pages(runtime, arena);
    for (std::size_t page = 0; page < uses.size(); ++page) {
      std::vector<MemoryRange>& ranges = uses[page] == PageUse::kIdle ? memory.idle : uses[page] == PageUse::kStacks ? memory.stacks : memory.objects;
      append(ranges, arena.base + page * kGoPage, arena.base + (page + 1) * kGoPage);
    }
  }
  return memory;
}

RuntimeMemory go_memory_of(pid_t pid) {
  Result<GoRuntime> runtime = GoRuntime::attach(pid);
  return runtime ? go_memory_ranges(*runtime) : RuntimeMemory();
}

}  // namespace dwell
