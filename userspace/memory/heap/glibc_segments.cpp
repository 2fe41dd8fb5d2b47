// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/heap/glibc_segments.h"

#include <algorithm>
#include <array>

#include "userspace/memory/heap/glibc_chunk.h"

namespace dwell::memory::heap {
namespace {

constexpr std::size_t kMostHeaps = 1 << 16;
// The largest size of a heap, at a multiple of which it begins: 64 MiB, or four huge pages with the hugetlb tunable.
constexpr std::array<std::uint64_t, 4> kHeapAlignments{std::uint64_t{64} << 20, std::uint64_t{8} << 20,
                                                       std::uint64_t{4} << 30, std::uint64_t{1} << 20};

std::uint64_t aligned(std::uint64_t address) { return (address + 15) & ~std::uint64_t{15}; }

struct HeapInfo {
  std::uint64_t arena, previous, size;
};

std::optional<HeapInfo> heap_info_at(const ProcessMemory& memory, std::uint64_t address, std::uint64_t arena) {
  std::optional<HeapInfo> info = memory.load<HeapInfo>(address);
  return info && info->arena == arena ? info : std::nullopt;
}

const Mapping* mapping_of(const std::vector<Mapping>& mappings, std::uint64_t address) {
  auto after = std::upper_bound(mappings.begin(), mappings.end(), address,
                                [](std::uint64_t a, const Mapping& mapping) { return a < mapping.start; });
  if (after == mappings.begin()) return nullptr;
  const Mapping& mapping = *(after - 1);
  return address < mapping.end ? &mapping : nullptr;
}

class SegmentFinder {
 public:
  SegmentFinder(const Target& target, const GlibcArenas& arenas) : target_(target), arenas_(arenas) {}

  Segments find(const std::optional<GlibcParameters>& parameters) {
    add_main(parameters);
    for (std::size_t i = 1; i < arenas_.arenas.size(); ++i) add_heaps(i);
    std::sort(result_.all.begin(), result_.all.end(),
              [](const Segment& a, const Segment& b) { return a.range.start < b.range.start; });
    drop_overlaps();
    return std::move(result_);
  }

 private:
  void add_main(const std::optional<GlibcParameters>& parameters) {
    const GlibcArena& main = arenas_.arenas[0];
    Range brk = brk_range(target_.mappings);
    std::uint64_t found = 0;
    if (parameters && brk.contains(parameters->sbrk_base)) {
      std::uint64_t start = aligned(parameters->sbrk_base);
      add_stretch({start, brk.end}, true);
      found += brk.end - start;
    }
    const Mapping* of_top = brk.contains(main.top) ? nullptr : mapping_of(target_.mappings, main.top);
    if (of_top && of_top->writable && !of_top->is_file()) {
      add_stretch({of_top->start, of_top->end});
      found += of_top->end - of_top->start;
    }
    if (found < main.system_mem) found += add_other_stretches(main.system_mem - found);
    if (found < main.system_mem) result_.missing_bytes += main.system_mem - found;
  }

  // Mappings that the main arena got where brk could not grow, full of chunks from their first word on.
  std::uint64_t add_other_stretches(std::uint64_t at_most) {
    std::uint64_t found = 0;
    for (const Mapping& mapping : target_.mappings) {
      std::uint64_t size = mapping.end - mapping.start;
      if (mapping.is_file() || !mapping.path.empty() || !mapping.writable || mapping.shared || found + size > at_most)
        continue;
      if (has(mapping.start) || !is_chain(target_.memory, mapping.start, {mapping.start, mapping.end}, true)) continue;
      add_stretch({mapping.start, mapping.end});
      found += size;
    }
    return found;
  }

  void add_stretch(Range range, bool grows = false) { result_.all.push_back({range, range.start, 0, true, 0, grows}); }

  bool has(std::uint64_t address) const {
    return std::any_of(result_.all.begin(), result_.all.end(),
                       [&](const Segment& segment) { return segment.range.contains(address); });
  }

  void add_heaps(std::size_t index) {
    const GlibcArena& arena = arenas_.arenas[index];
    std::optional<std::uint64_t> heap = heap_of(arena.top, arena.address);
    std::uint64_t first_heap = arena.address - arenas_.layout.heap_info;
    bool met_first = false;
    for (std::size_t count = 0; heap && *heap && count < kMostHeaps; ++count) {
      std::optional<HeapInfo> info = heap_info_at(target_.memory, *heap, arena.address);
      if (!info || info->size % kPageSize || info->size > (std::uint64_t{8} << 30)) break;
      bool is_first = *heap == first_heap;
      met_first |= is_first;
      std::uint64_t head = is_first ? arenas_.layout.heap_info + arenas_.layout.arena_size() : arenas_.layout.heap_info;
      result_.all.push_back({{*heap, *heap + info->size}, aligned(*heap + head), static_cast<std::uint32_t>(index),
                             false, *heap, false});
      heap = info->previous;
    }
    if (!met_first) result_.missing_bytes += arena.system_mem;
  }

  std::optional<std::uint64_t> heap_of(std::uint64_t address, std::uint64_t arena) const {
    for (std::uint64_t alignment : kHeapAlignments)
      if (heap_info_at(target_.memory, address & ~(alignment - 1), arena)) return address & ~(alignment - 1);
    return std::nullopt;
  }

  // A hostile process may make heaps overlap: each byte is walked once.
  void drop_overlaps() {
    std::uint64_t end = 0;
    std::erase_if(result_.all, [&](const Segment& segment) {
      if (segment.range.start < end || segment.range.end <= segment.first) return true;
      end = segment.range.end;
      return false;
    });
  }

  const Target& target_;
  const GlibcArenas& arenas_;
  Segments result_;
};

}  // namespace

Range brk_range(const std::vector<Mapping>& mappings) {
  Range range;
  for (const Mapping& mapping : mappings) {
    if (mapping.path != "[heap]") continue;
    if (!range.start) range.start = mapping.start;
    range.end = mapping.end;
  }
  return range;
}

Segments find_glibc_segments(const Target& target, const GlibcArenas& arenas,
                             const std::optional<GlibcParameters>& parameters) {
  return SegmentFinder(target, arenas).find(parameters);
}

}  // namespace dwell::memory::heap
