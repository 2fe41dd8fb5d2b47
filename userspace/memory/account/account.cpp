// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/account/account.h"

#include <algorithm>

namespace dwell::memory {
namespace {

using heap::kPageSize;
using heap::PageState;
using heap::Range;

constexpr std::size_t kNamedMappings = 8;
constexpr std::size_t kPagesAtOnce = 4096;

class AccountMaker {
 public:
  AccountMaker(const std::vector<MappingUse>& uses, const std::vector<ThreadStack>& stacks,
               const heap::PageStates& pages, const OwnedRanges& owned)
      : uses_(uses), pages_(pages), owned_(owned) {
    for (const ThreadStack& stack : stacks) stacks_.push_back(stack.range);
  }

  Account make(const std::vector<AccountedHeap>& heaps) {
    for (const AccountedHeap& one : heaps) {
      heaps_.insert(heaps_.end(), one.ranges.begin(), one.ranges.end());
      if (one.records_in_break) break_of_.insert(break_of_.end(), one.ranges.begin(), one.ranges.end());
      add_inventory(*one.inventory);
    }
    std::sort(heaps_.begin(), heaps_.end(), [](const Range& a, const Range& b) { return a.start < b.start; });
    for (std::size_t i = 0; i < uses_.size(); ++i) add_mapping(i);
    close();
    return std::move(account_);
  }

 private:
  AccountPart& part(Part which) { return account_.parts[static_cast<std::size_t>(which)]; }

  void add_inventory(const heap::Inventory& inventory) {
    auto of = [&](heap::BlockState state) {
      return static_cast<std::int64_t>(inventory.by_state[static_cast<std::size_t>(state)].resident);
    };
    part(Part::kLive).resident += static_cast<std::int64_t>(inventory.live().resident);
    part(Part::kFree).resident += static_cast<std::int64_t>(inventory.free().resident);
    part(Part::kMetadata).resident += of(heap::BlockState::kMetadata) + static_cast<std::int64_t>(inventory.headers);
  }

  std::uint64_t present_in(std::uint64_t start, std::uint64_t end) {
    std::uint64_t sum = 0;
    states_.resize(kPagesAtOnce);
    for (std::uint64_t at = start & ~(kPageSize - 1); at < end; at += kPagesAtOnce * kPageSize) {
      std::size_t count = std::min<std::uint64_t>(kPagesAtOnce, (end - at + kPageSize - 1) / kPageSize);
      pages_.read(at, {states_.data(), count});
      sum += static_cast<std::uint64_t>(std::count(states_.begin(), states_.begin() + static_cast<std::ptrdiff_t>(count),
                                                   PageState::kPresent)) * kPageSize;
    }
    return sum;
  }

  // Bytes in memory of the mapping inside `ranges`; all of it if they cover it.
  std::uint64_t resident_inside(const MappingUse& use, const std::vector<Range>& ranges) {
    std::uint64_t sum = 0;
    auto range = std::lower_bound(ranges.begin(), ranges.end(), use.mapping.start,
                                  [](const Range& one, std::uint64_t address) { return one.end <= address; });
    for (; range != ranges.end() && range->start < use.mapping.end; ++range) {
      std::uint64_t start = std::max(range->start, use.mapping.start), end = std::min(range->end, use.mapping.end);
      if (start == use.mapping.start && end == use.mapping.end) return use.resident;
      sum += present_in(start, end);
    }
    return std::min(sum, use.resident);
  }

  void add_mapping(std::size_t index) {
    const MappingUse& use = uses_[index];
    const Mapping& mapping = use.mapping;
    account_.resident += use.resident;
    account_.swapped += use.swapped;
    account_.huge += use.huge;
    account_.hugetlb += use.hugetlb;
    account_.anonymous += use.anonymous;
    if (is_shared_memory(mapping)) {
      account_.shared += use.resident - use.anonymous;
      return add(Part::kShared, use, use.resident);
    }
    account_.file += use.resident - use.anonymous;
    if (mapping.is_file()) {
      add(Part::kFiles, use, use.resident - use.anonymous);
      part(Part::kData).resident += static_cast<std::int64_t>(use.anonymous);
      return;
    }
    add_anonymous(index);
  }

  void add_anonymous(std::size_t index) {
    const MappingUse& use = uses_[index];
    std::uint64_t in_heap = resident_inside(use, heaps_);
    std::uint64_t in_stack = in_heap < use.resident ? std::min(use.resident - in_heap, resident_inside(use, stacks_)) : 0;
    heap_resident_ += in_heap;
    part(Part::kStacks).resident += static_cast<std::int64_t>(in_stack);
    part(Part::kStacks).mappings += in_stack > 0;
    std::uint64_t left = use.resident - in_heap - in_stack;
    left -= add_owned(use, owned_.javascript, Part::kJavaScript, left);
    left -= add_owned(use, owned_.go_heap, Part::kGoHeap, left);
    left -= add_owned(use, owned_.go_stacks, Part::kGoStacks, left);
    left -= add_owned(use, owned_.go_idle, Part::kGoIdle, left);
    left -= add_owned(use, owned_.zeroed_data, Part::kData, left);
    bool has_owner = left < use.resident;
    if (in_heap) {
      part(Part::kLive).mappings++;
      part(Part::kLive).swapped += use.swapped;
    }
    Part which = owner_of_rest(index);
    if (which == Part::kMetadata) heap_resident_ += left;
    if (has_owner) {
      part(which).resident += static_cast<std::int64_t>(left);
    } else {
      add(which, use, left);
    }
    if (which == Part::kAnonymous && left) {
      account_.mappings.push_back(use);
      account_.mappings.back().resident = left;
    }
  }

  // What of the mapping lies inside `ranges`, at most `left` bytes.
  std::uint64_t add_owned(const MappingUse& use, const std::vector<Range>& ranges, Part which, std::uint64_t left) {
    std::uint64_t inside = left ? std::min(left, resident_inside(use, ranges)) : 0;
    part(which).resident += static_cast<std::int64_t>(inside);
    if (which != Part::kData) part(which).mappings += inside > 0;
    return inside;
  }

  Part owner_of_rest(std::size_t index) const {
    const Mapping& mapping = uses_[index].mapping;
    if (mapping.executable && mapping.path.empty()) return Part::kGenerated;
    if (mapping.path.starts_with("[v")) return Part::kFiles;  // vdso, vvar, vsyscall
    // The break belongs to the C library's heap. Elsewhere the kernel merges a heap's mapping with one that
    // is beside it.
    if (mapping.path != "[heap]" || heaps_.empty()) return Part::kAnonymous;
    auto inside = [&](const Range& range) { return range.start < mapping.end && mapping.start < range.end; };
    return std::ranges::any_of(break_of_, inside) ? Part::kMetadata : Part::kUnexplained;
  }

  void add(Part which, const MappingUse& use, std::uint64_t resident) {
    AccountPart& to = part(which);
    to.resident += static_cast<std::int64_t>(resident);
    to.swapped += use.swapped;
    ++to.mappings;
  }

  // What the heaps' pages hold beside their blocks, or less, where the process went on during the look.
  void close() {
    std::int64_t blocks = part(Part::kLive).resident + part(Part::kFree).resident + part(Part::kMetadata).resident;
    part(Part::kUnexplained).resident += static_cast<std::int64_t>(heap_resident_) - blocks;
    std::sort(account_.mappings.begin(), account_.mappings.end(),
              [](const MappingUse& a, const MappingUse& b) { return a.resident > b.resident; });
    if (account_.mappings.size() > kNamedMappings) account_.mappings.resize(kNamedMappings);
  }

  const std::vector<MappingUse>& uses_;
  const heap::PageStates& pages_;
  const OwnedRanges& owned_;
  std::vector<Range> heaps_, stacks_;
  std::vector<Range> break_of_;  // of heaps whose records lie in the break
  std::vector<PageState> states_;
  std::uint64_t heap_resident_ = 0;
  Account account_;
};

}  // namespace

Account make_account(const std::vector<MappingUse>& uses, const std::vector<AccountedHeap>& heaps,
                     const std::vector<ThreadStack>& stacks, const heap::PageStates& pages, const OwnedRanges& owned) {
  return AccountMaker(uses, stacks, pages, owned).make(heaps);
}

}  // namespace dwell::memory
