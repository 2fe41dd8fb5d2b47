// SPDX-License-Identifier: Apache-2.0
#include "userspace/collect/address_space.h"

#include <algorithm>

namespace dwell {

namespace {

constexpr std::size_t kMaxFormer = 1024;

bool starts_before(const CodeRange& a, const CodeRange& b) { return a.start < b.start; }

// The first range that ends behind the address.
std::vector<CodeRange>::const_iterator ending_after(const std::vector<CodeRange>& ranges, std::uint64_t address) {
  return std::upper_bound(ranges.begin(), ranges.end(), address,
                          [](std::uint64_t a, const CodeRange& range) { return a < range.end; });
}

bool overlaps(const std::vector<CodeRange>& ranges, const CodeRange& range) {
  auto next = ending_after(ranges, range.start);
  return next != ranges.end() && next->start < range.end;
}

const CodeRange* find_in(const std::vector<CodeRange>& ranges, std::uint64_t address) {
  auto found = ending_after(ranges, address);
  return found != ranges.end() && found->start <= address ? &*found : nullptr;
}

}  // namespace

void AddressSpace::replace(std::vector<CodeRange> ranges) {
  std::vector<CodeRange> before = std::move(ranges_);
  ranges_ = std::move(ranges);
  std::sort(ranges_.begin(), ranges_.end(), starts_before);

  // What was mapped last is what stacks are most likely to mean.
  std::vector<CodeRange> kept;
  for (const CodeRange& range : before)
    if (!overlaps(ranges_, range)) kept.push_back(range);
  std::size_t recent = kept.size();
  for (const CodeRange& range : former_)
    if (kept.size() < kMaxFormer && !overlaps(ranges_, range) && !overlaps(before, range)) kept.push_back(range);
  std::inplace_merge(kept.begin(), kept.begin() + static_cast<std::ptrdiff_t>(recent), kept.end(), starts_before);
  former_ = std::move(kept);
}

const CodeRange* AddressSpace::find(std::uint64_t address) const {
  const CodeRange* now = find_in(ranges_, address);
  return now ? now : find_in(former_, address);
}

Location AddressSpace::locate(std::uint64_t address, bool return_address) const {
  // A call may be the last instruction of a mapping: its return address then lies just behind.
  const CodeRange* range = find(return_address && address ? address - 1 : address);
  if (!range) return {-1, address, return_address};
  return {static_cast<std::int32_t>(range->module), address - range->start + range->file_offset, return_address};
}

}  // namespace dwell
