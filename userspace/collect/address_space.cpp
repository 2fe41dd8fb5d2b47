// SPDX-License-Identifier: Apache-2.0
#include "userspace/collect/address_space.h"

#include <algorithm>

namespace dwell {

void AddressSpace::replace(std::vector<CodeRange> ranges) {
  ranges_ = std::move(ranges);
  std::sort(ranges_.begin(), ranges_.end(), [](const CodeRange& a, const CodeRange& b) { return a.start < b.start; });
}

const CodeRange* AddressSpace::find(std::uint64_t address) const {
  auto after = std::upper_bound(ranges_.begin(), ranges_.end(), address,
                                [](std::uint64_t a, const CodeRange& range) { return a < range.start; });
  if (after == ranges_.begin()) return nullptr;
  const CodeRange& range = *std::prev(after);
  return address < range.end ? &range : nullptr;
}

Location AddressSpace::locate(std::uint64_t address, bool return_address) const {
  // A call may be the last instruction of a mapping: its return address then lies just behind.
  const CodeRange* range = find(return_address && address ? address - 1 : address);
  if (!range) return {-1, address, return_address};
  return {static_cast<std::int32_t>(range->module), address - range->start + range->file_offset, return_address};
}

}  // namespace dwell
