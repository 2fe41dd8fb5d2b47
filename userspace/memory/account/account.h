// SPDX-License-Identifier: Apache-2.0
// The account: what the memory of a process consists of. Its parts and what is left unexplained add up to RSS.
#pragma once

#include <cstdint>
#include <vector>

#include "userspace/memory/account/parts.h"
#include "userspace/memory/account/smaps.h"
#include "userspace/memory/account/thread_stacks.h"
#include "userspace/memory/heap/inventory.h"

namespace dwell::memory {

struct AccountPart {
  std::int64_t resident = 0;  // bytes; below zero only for what changed during the look
  std::uint64_t swapped = 0;
  std::uint64_t mappings = 0;
};

struct Account {
  std::uint64_t resident = 0, anonymous = 0, shared = 0, file = 0, swapped = 0, huge = 0, hugetlb = 0;
  AccountPart parts[kParts];
  std::vector<MappingUse> mappings;  // of kAnonymous, the largest first
  const AccountPart& of(Part part) const { return parts[static_cast<std::size_t>(part)]; }
};

// One heap as the account sees it: where it lies, and what was found there.
struct AccountedHeap {
  std::vector<heap::Range> ranges;  // in address order
  const heap::Inventory* inventory;
  bool records_in_break = false;  // what of the break is no block of it are its own records
};

// Anonymous memory that has an owner, each in address order.
struct OwnedRanges {
  std::vector<heap::Range> javascript;   // V8's chunks
  std::vector<heap::Range> zeroed_data;  // of modules
  std::vector<heap::Range> go_heap = {}, go_stacks = {}, go_idle = {};
};

// The same for whoever asks later, with the mappings and what else lies in them.
struct OwnedMemory {
  std::vector<MappingUse> uses;
  std::vector<heap::Range> heaps, stacks;  // in address order
  OwnedRanges others;
};

Account make_account(const std::vector<MappingUse>& uses, const std::vector<AccountedHeap>& heaps,
                     const std::vector<ThreadStack>& stacks, const heap::PageStates& pages, const OwnedRanges& owned = {});

}  // namespace dwell::memory
