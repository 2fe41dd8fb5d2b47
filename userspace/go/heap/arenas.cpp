// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/heap/arenas.h"

#include <fmt/core.h>

#include <algorithm>

namespace dwell {
namespace {

// runtime.mheap_: what mcentral asks for pages.
std::uint64_t find_heap(const GoRuntime& runtime) {
  const GoLayout& layout = runtime.layout();
  const ProcessMemory& memory = runtime.memory();
  for (const CodeReference& reference : runtime.references("runtime.(*mcentral).grow")) {
    if (!reference.is_address) continue;
    std::optional<GoSlice> arenas = memory.load<GoSlice>(reference.target + layout.heap_all_arenas);
    if (!arenas || arenas->length == 0 || arenas->length > arenas->capacity || arenas->capacity > kMostGoArenas)
      continue;
    std::optional<std::uint64_t> table = memory.load<std::uint64_t>(reference.target + layout.heap_arenas);
    std::optional<std::uint64_t> first = memory.load<std::uint64_t>(arenas->address);
    if (table && first && *first < (std::uint64_t{1} << 22) &&
        memory.load<std::uint64_t>(*table + *first * 8).value_or(0))
      return reference.target;
  }
  return 0;
}

}  // namespace

Result<std::vector<GoArena>> read_arenas(const GoRuntime& runtime) {
  const GoLayout& layout = runtime.layout();
  if (!layout.heap_arenas)
    return Error{fmt::format("the heap of {} is not laid out as dwell knows it", runtime.module().version), "", Exit::kUnsupported};
  std::uint64_t heap = find_heap(runtime);
  if (!heap) return Error{"the heap of this program was not found", "", Exit::kUnsupported};
  const ProcessMemory& memory = runtime.memory();
  GoSlice all = memory.load<GoSlice>(heap + layout.heap_all_arenas).value_or(GoSlice{});
  std::uint64_t table = memory.load<std::uint64_t>(heap + layout.heap_arenas).value_or(0);
  std::vector<std::uint64_t> numbers(std::min(all.length, kMostGoArenas));
  if (!memory.read(all.address, numbers.data(), numbers.size() * 8)) numbers.clear();
  std::sort(numbers.begin(), numbers.end());
  constexpr std::uint64_t kFirst = 0xffff800000000000;  // the address of arena 0
  std::vector<GoArena> arenas;
  for (std::uint64_t number : numbers)
    if (std::uint64_t record = memory.load<std::uint64_t>(table + number * 8).value_or(0)) arenas.push_back({kFirst + number * kGoArenaSize, record});
  return arenas;
}

GoSpanRecords read_span_bytes(const GoRuntime& runtime, const GoArena& arena) {
  GoSpanRecords records;
  std::vector<std::uint64_t> pointers(kGoArenaPages);
  if (!runtime.memory().read(arena.record + runtime.layout().arena_spans, pointers.data(), pointers.size() * 8)) return records;
  std::vector<std::pair<std::size_t, std::uint64_t>> named;  // page and span
  for (std::size_t page = 0; page < kGoArenaPages; ++page)
    if (pointers[page] && (named.empty() || pointers[page] != named.back().second)) named.emplace_back(page, pointers[page]);
  constexpr std::size_t kSize = GoSpanRecords::kSpanSize;
  records.memory_ = std::make_unique<char[]>(named.size() * kSize);
  std::vector<MemoryPiece> pieces;
  for (std::size_t i = 0; i < named.size(); ++i) pieces.push_back({named[i].second, kSize, records.memory_.get() + i * kSize});
  runtime.memory().read_pieces(pieces);
  for (std::size_t i = 0; i < pieces.size(); ++i)
    if (pieces[i].read) records.spans_.push_back({named[i].first, {pieces[i].to, kSize}});
  return records;
}

}  // namespace dwell
