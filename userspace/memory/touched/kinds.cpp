// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/touched/kinds.h"

#include <algorithm>

namespace dwell::memory {
namespace {

bool lies_in(const std::vector<heap::Range>& ranges, std::uint64_t address) {
  auto after = std::upper_bound(ranges.begin(), ranges.end(), address, [](std::uint64_t value, const heap::Range& range) { return value < range.start; });
  return after != ranges.begin() && address < std::prev(after)->end;
}

}  // namespace

TouchedKind kind_of(const OwnedMemory& owned, const MappingUse& use, std::uint64_t address, bool anonymous) {
  const Mapping& mapping = use.mapping;
  if (is_shared_memory(mapping)) return TouchedKind::kShared;
  if (mapping.is_file()) return anonymous ? TouchedKind::kData : TouchedKind::kFiles;
  if (mapping.path.starts_with("[stack") || lies_in(owned.stacks, address)) return TouchedKind::kStacks;
  if (mapping.path == "[heap]" || lies_in(owned.heaps, address)) return TouchedKind::kHeap;
  if (lies_in(owned.others.javascript, address)) return TouchedKind::kJavaScript;
  if (lies_in(owned.others.zeroed_data, address)) return TouchedKind::kData;
  if (mapping.path.starts_with("[v")) return TouchedKind::kFiles;
  return mapping.executable ? TouchedKind::kGenerated : TouchedKind::kAnonymous;
}

}  // namespace dwell::memory
