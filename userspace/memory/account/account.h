// SPDX-License-Identifier: Apache-2.0
// The account: what the memory of a process consists of. Its parts and what is left unexplained add up to RSS.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "userspace/memory/account/smaps.h"
#include "userspace/memory/account/thread_stacks.h"
#include "userspace/memory/heap/inventory.h"

namespace dwell::memory {

enum class Part : std::uint8_t {
  kLive,          // blocks that the program has
  kFree,          // free inside an allocator
  kMetadata,      // the allocators' own words
  kStacks,        // of threads
  kGenerated,     // anonymous and executable
  kData,          // of modules: written pages of their files, and the zeroed data behind those
  kFiles,         // code and file mappings
  kShared,        // shm, memfd, shared anonymous
  kJavaScript,    // V8's heap
  kUnexplained,   // anonymous mappings that none of the above owns
  kParts,
};
constexpr std::size_t kParts = static_cast<std::size_t>(Part::kParts);
std::string_view name_of(Part part);

struct AccountPart {
  std::int64_t resident = 0;  // bytes; below zero only for what changed during the look
  std::uint64_t swapped = 0;
  std::uint64_t mappings = 0;
};

struct Account {
  std::uint64_t resident = 0, anonymous = 0, shared = 0, file = 0, swapped = 0, huge = 0, hugetlb = 0;
  AccountPart parts[kParts];
  std::vector<MappingUse> unexplained;  // the largest first
  const AccountPart& of(Part part) const { return parts[static_cast<std::size_t>(part)]; }
};

// One heap as the account sees it: where it lies, and what was found there.
struct AccountedHeap {
  std::vector<heap::Range> ranges;  // in address order
  const heap::Inventory* inventory;
};

// `javascript`: V8's chunks, in address order.
Account make_account(const std::vector<MappingUse>& uses, const std::vector<AccountedHeap>& heaps,
                     const std::vector<ThreadStack>& stacks, const heap::PageStates& pages,
                     const std::vector<heap::Range>& javascript = {});

}  // namespace dwell::memory
