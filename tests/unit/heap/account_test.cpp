// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/account/account.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "tests/zero_pages.h"
#include "userspace/memory/account/look_text.h"
#include "userspace/memory/account/page_scan.h"
#include "userspace/memory/process_sampler.h"

namespace dwell::testing {
namespace {

using namespace memory;
using heap::PageState;

constexpr const char* kSmaps =
    "555500000000-555500010000 r-xp 00000000 08:01 7                          /usr/bin/app\n"
    "Rss:                  40 kB\nAnonymous:             0 kB\nVmFlags: rd ex\n"
    "555500010000-555500012000 rw-p 00010000 08:01 7                          /usr/bin/app\n"
    "Rss:                   8 kB\nAnonymous:             8 kB\n"
    "555500012000-555500014000 rw-p 00000000 00:00 0 \n"
    "Rss:                   4 kB\nAnonymous:             4 kB\n"
    "555500100000-555500200000 rw-p 00000000 00:00 0                          [heap]\n"
    "Rss:                 512 kB\nAnonymous:           512 kB\nSwap:                  16 kB\n"
    "7f0000000000-7f0000100000 rw-p 00000000 00:00 0 \n"
    "Rss:                 100 kB\nAnonymous:           100 kB\n"
    "7f0000200000-7f0000300000 rw-s 00000000 00:01 9                          /memfd:x (deleted)\n"
    "Rss:                 300 kB\nAnonymous:             0 kB\n"
    "7ffd00000000-7ffd00021000 rw-p 00000000 00:00 0                          [stack]\n"
    "Rss:                  12 kB\nAnonymous:            12 kB\n";

TEST(Smaps, AreParsedMappingByMapping) {
  std::vector<MappingUse> uses = parse_smaps(kSmaps);
  ASSERT_EQ(uses.size(), 7u);
  EXPECT_EQ(uses[3].resident, 512u << 10);
  EXPECT_EQ(uses[3].swapped, 16u << 10);
  EXPECT_EQ(uses[0].mapping.path, "/usr/bin/app");
  EXPECT_TRUE(parse_smaps("Rss: 4 kB\nnonsense\n").empty());
}

// Our own mappings, told in both ways.
// RSS does not count the kernel's page of zeros, small or huge, that memory shows until it is written.
TEST(PageStates, WhatWasOnlyReadIsNotInMemory) {
  constexpr std::size_t kHuge = 2 << 20;
  if (::geteuid() != 0) GTEST_SKIP() << "numbers of frames are root's to see";
  if (!kernel_shares_zeros()) GTEST_SKIP() << "this kernel has no page of zeros for readers";
  for (int advice : {MADV_NOHUGEPAGE, MADV_HUGEPAGE}) {
    auto* start = static_cast<char*>(::mmap(nullptr, 2 * kHuge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ASSERT_NE(start, MAP_FAILED);
    ::madvise(start, 2 * kHuge, advice);
    auto at = (reinterpret_cast<std::uint64_t>(start) + kHuge - 1) & ~(kHuge - 1);
    (void)*reinterpret_cast<volatile char*>(at);
    std::array<heap::PageState, 2> states;
    heap::PageStates(::getpid()).read(at, states);
    EXPECT_EQ(states[0], heap::PageState::kAbsent);
    EXPECT_EQ(states[1], heap::PageState::kAbsent);
    *reinterpret_cast<volatile char*>(at) = 1;
    heap::PageStates(::getpid()).read(at, states);
    EXPECT_EQ(states[0], heap::PageState::kPresent);
    ::munmap(start, 2 * kHuge);
  }
}

// Whatever the kernel shows to readers: a page that was given back may come again as one that is written.
TEST(PageStates, WhatWasWrittenIsInMemory) {
  if (::geteuid() != 0) GTEST_SKIP() << "numbers of frames are root's to see";
  constexpr std::size_t kSize = 8 << 20;
  for (int advice : {MADV_NOHUGEPAGE, MADV_HUGEPAGE}) {
    heap::PageStates pages(::getpid());
    auto* start = static_cast<char*>(
        ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ASSERT_NE(start, MAP_FAILED);
    ::madvise(start, kSize, advice);
    std::memset(start, 1, kSize);
    std::vector<heap::PageState> states(kSize / heap::kPageSize);
    pages.read(reinterpret_cast<std::uint64_t>(start), states);
    EXPECT_EQ(std::ranges::count(states, PageState::kPresent), static_cast<long>(states.size()));
    ::munmap(start, kSize);
  }
}

TEST(PageScan, SaysWhatSmapsSays) {
  constexpr std::size_t kSize = 8 << 20, kPage = 4096;
  auto map = [](int flags, int file) { return static_cast<char*>(::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, flags, file, 0)); };
  int memfd = ::memfd_create("shared", 0);
  ASSERT_EQ(::ftruncate(memfd, kSize), 0);
  std::vector<char*> blocks = {map(MAP_PRIVATE | MAP_ANONYMOUS, -1), map(MAP_PRIVATE | MAP_ANONYMOUS, -1), map(MAP_PRIVATE | MAP_ANONYMOUS, -1),
                               map(MAP_SHARED, memfd), map(MAP_PRIVATE, memfd)};
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    ASSERT_NE(blocks[i], MAP_FAILED);
    ::madvise(blocks[i], kSize, MADV_NOHUGEPAGE);
    ::mprotect(blocks[i] + kSize - kPage, kPage, PROT_NONE);  // so that none is merged with its neighbour
  }
  for (std::size_t at = 0; at < kSize / 2; at += kPage) blocks[0][at] = blocks[3][at] = 1;
  for (std::size_t at = 0; at < kSize / 4; at += kPage) blocks[4][at] = 2;
  volatile char seen = 0;
  for (std::size_t at = 0; at < kSize / 2; at += kPage) seen = seen + blocks[1][at] + blocks[4][at];  // of the first, the page of zeros
  auto scanned = memory::scan_pages(::getpid());
  auto told = memory::read_smaps(::getpid());
  ASSERT_TRUE(told);
  auto of = [](const std::vector<memory::MappingUse>& uses, const char* block) {
    auto address = reinterpret_cast<std::uint64_t>(block);
    return *std::ranges::find_if(uses, [&](const memory::MappingUse& use) { return use.mapping.start <= address && address < use.mapping.end; });
  };
  for (std::size_t i = 0; scanned && i < blocks.size(); ++i) {
    memory::MappingUse one = of(*scanned, blocks[i]), other = of(*told, blocks[i]);
    EXPECT_EQ(one.mapping.end, other.mapping.end);
    EXPECT_EQ(one.resident, other.resident) << i;
    EXPECT_EQ(one.anonymous, other.anonymous) << i;
    EXPECT_EQ(one.huge, other.huge) << i;
  }
  EXPECT_EQ(of(*told, blocks[0]).resident, kSize / 2);
  for (char* block : blocks) ::munmap(block, kSize);
  ::close(memfd);
  if (!scanned) GTEST_SKIP() << "this kernel has no PAGEMAP_SCAN";
}

// mariadb reserves terabytes and uses a few hundred megabytes of them.
TEST(Account, OnlyWritableMemoryMayBeTooMuchForAWalk) {
  MemorySample sample;
  sample.address_space = std::uint64_t{8} << 40;
  sample.data = std::uint64_t{512} << 20;
  EXPECT_EQ(why_not_walked(sample), "");
  sample.data = std::uint64_t{8} << 40;
  EXPECT_NE(why_not_walked(sample).find("more than 64 GB of writable memory"), std::string::npos);
}

// "RSS 42.1 MB" alone says nothing of what it is.
TEST(Account, TheFirstLineNamesWhatMostOfRssIs) {
  MemoryLook look;
  auto part = [&](Part which, std::int64_t megabytes) {
    look.account.parts[static_cast<std::size_t>(which)].resident = megabytes << 20;
    look.account.resident += static_cast<std::uint64_t>(megabytes << 20);
  };
  part(Part::kShared, 36);
  part(Part::kFiles, 5);
  part(Part::kStacks, 1);
  EXPECT_EQ(headline_text(look), "RSS 42.0 MB: 36.0 MB shared memory, 5.0 MB files and code");
  look.heaps.emplace_back();
  look.account.parts[static_cast<std::size_t>(Part::kUnexplained)].resident = -4096;
  EXPECT_EQ(headline_text(look), "RSS 42.0 MB: 36.0 MB shared memory, 5.0 MB files and code, 0 B live blocks");
  look.account.parts[static_cast<std::size_t>(Part::kUnexplained)].resident = -(2 << 20);
  EXPECT_EQ(headline_text(look),
            "RSS 42.0 MB: 36.0 MB shared memory, 5.0 MB files and code, 0 B live blocks, -2.0 MB unexplained "
            "(the process went on while it was read)");
}

TEST(Account, AddsUpToRss) {
  heap::PageStates pages([](std::uint64_t) { return PageState::kPresent; });
  heap::Inventory inventory;
  inventory.by_state[0].add(300 << 10, 300 << 10);
  inventory.by_state[2].add(200 << 10, 200 << 10);
  inventory.headers = 4 << 10;
  std::vector<AccountedHeap> heaps{{{{0x555500100000, 0x555500200000}}, &inventory}};
  std::vector<ThreadStack> stacks{{{0x7ffd00000000, 0x7ffd00021000}, 1, 0}};
  Account account = make_account(parse_smaps(kSmaps), heaps, stacks, pages, {{}, {{0x555500012000, 0x555500014000}}});
  EXPECT_EQ(account.resident, 976u << 10);
  std::int64_t sum = 0;
  for (const AccountPart& part : account.parts) sum += part.resident;
  EXPECT_EQ(sum, static_cast<std::int64_t>(account.resident));
  EXPECT_EQ(account.of(Part::kLive).resident, 300 << 10);
  EXPECT_EQ(account.of(Part::kData).resident, 12 << 10);
  EXPECT_EQ(account.of(Part::kFiles).resident, 40 << 10);
  EXPECT_EQ(account.of(Part::kShared).resident, 300 << 10);
  EXPECT_EQ(account.of(Part::kStacks).resident, 12 << 10);
  EXPECT_EQ(account.of(Part::kAnonymous).resident, 100 << 10);
  EXPECT_EQ(account.of(Part::kUnexplained).resident, 8 << 10);  // pages of the heap without a block
  EXPECT_EQ(account.of(Part::kLive).swapped, 16u << 10);
  ASSERT_EQ(account.mappings.size(), 1u);
  EXPECT_EQ(account.mappings[0].mapping.start, 0x7f0000000000u);
}

// tcmalloc takes memory for its page map from the break, as it does for its spans.
TEST(Account, WhatLiesBesideTheSpansOfTcmallocAreItsRecords) {
  heap::PageStates pages([](std::uint64_t) { return PageState::kPresent; });
  heap::Inventory inventory;
  inventory.by_state[0].add(256 << 10, 256 << 10);
  for (bool records : {false, true}) {
    std::vector<AccountedHeap> heaps{{{{0x555500100000, 0x555500140000}}, &inventory, records}};
    Account account = make_account(parse_smaps(kSmaps), heaps, {}, pages);
    EXPECT_EQ(account.of(Part::kLive).resident, 256 << 10);
    EXPECT_EQ(account.of(Part::kMetadata).resident, records ? 256 << 10 : 0);
    EXPECT_EQ(account.of(Part::kUnexplained).resident, records ? 0 : 256 << 10);
  }
}

TEST(StackPointer, StandsBeforeTheLastWord) {
  EXPECT_EQ(stack_pointer_in("202 0x1 0x0 0x0 0x0 0x0 0x0 0x7ffc12345678 0x7f0000000001\n"), 0x7ffc12345678u);
  EXPECT_EQ(stack_pointer_in("-1 0x7ffc12345678 0x401000\n"), 0x7ffc12345678u);
  EXPECT_EQ(stack_pointer_in("running\n"), 0u);
  EXPECT_EQ(stack_pointer_in(""), 0u);
}

}  // namespace
}  // namespace dwell::testing
