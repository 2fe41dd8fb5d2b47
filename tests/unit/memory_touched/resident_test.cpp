// SPDX-License-Identifier: Apache-2.0
// What of the touched pages is still in memory, of which kind it is, and who gets the pages that came without a fault.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "bpf/faults.h"
#include "userspace/memory/touched/resident.h"

namespace dwell::memory {
namespace {

constexpr StackId kA{1}, kB{2};
constexpr std::uint64_t kPage = 4096, kFirst = 0x10000;  // of the mapping: page numbers
constexpr std::uint64_t kAnonymousPage = kPageInMemory | kPageMappedOnce, kZeroPage = kPageInMemory, kFilePage = kPageInMemory | kPageOfFile;

// A process with one mapping of 2,048 pages, page by page.
class Process {
 public:
  explicit Process(std::string path = "", bool executable = false) {
    MappingUse use;
    use.mapping.start = kFirst * kPage;
    use.mapping.end = (kFirst + kPages) * kPage;
    use.mapping.path = std::move(path);
    use.mapping.inode = use.mapping.path.starts_with("/") ? 1 : 0;
    use.mapping.executable = executable;
    owned_.uses.push_back(use);
  }

  Process& hold(std::uint64_t page, std::uint64_t entry = kAnonymousPage, std::uint64_t count = 1) {
    for (std::uint64_t i = 0; i < count; ++i) entries_[kFirst + page + i] = entry;
    owned_.uses[0].resident = kPage * entries_.size();
    return *this;
  }
  Process& give_back(std::uint64_t page, std::uint64_t count = 1) {
    for (std::uint64_t i = 0; i < count; ++i) entries_.erase(kFirst + page + i);
    return *this;
  }
  Process& touch(std::uint64_t page, StackId stack, bool write = true, std::uint32_t shift = 0) {
    pages_.apply({.page = kFirst + page, .stack = stack, .shift = shift, .write = write});
    return *this;
  }
  void begin() { before_ = PresentPages::read(owned_.uses, pagemap(), 1 << 20); }
  OwnedMemory& owned() { return owned_; }
  TouchedMemory look() { return touched_and_resident(pages_, owned_, pagemap(), before_ ? &*before_ : nullptr); }

  static constexpr std::uint64_t kPages = 2048;

 private:
  Pagemap pagemap() {
    return Pagemap([this](std::uint64_t page) {
      auto found = entries_.find(page);
      return found == entries_.end() ? 0 : found->second;
    });
  }
  OwnedMemory owned_;
  std::map<std::uint64_t, std::uint64_t> entries_;
  TouchedPages pages_;
  std::optional<PresentPages> before_;
};

TouchedSite site_of(const TouchedMemory& touched, StackId stack) {
  for (const TouchedSite& site : touched.sites)
    if (site.stack == stack) return site;
  return {};
}

std::uint64_t unseen(const TouchedMemory& touched) {
  std::uint64_t sum = 0;
  for (std::uint64_t bytes : touched.unseen) sum += bytes;
  return sum;
}

TEST(Resident, IsWhatWasTouchedAndNotGivenBack) {
  Process process;
  process.hold(1).begin();
  process.touch(1, kA).touch(2, kA).touch(3, kA).touch(4, kB).hold(2).hold(4);
  TouchedMemory touched = process.look();
  EXPECT_EQ(site_of(touched, kA), (TouchedSite{kA, TouchedKind::kAnonymous, 3, 2 * kPage, kPage, 0}));
  EXPECT_EQ(site_of(touched, kB), (TouchedSite{kB, TouchedKind::kAnonymous, 1, kPage, kPage, 0}));
  EXPECT_EQ(touched.weight, 1u);
  EXPECT_EQ(unseen(touched), 0u);
  process.give_back(0, Process::kPages);
  touched = process.look();
  EXPECT_EQ(site_of(touched, kA), (TouchedSite{kA, TouchedKind::kKinds, 3, 0, 0, 0}));
}

TEST(Resident, IsNoPageOfZeros) {
  Process process;
  process.begin();
  process.touch(1, kA, false).hold(1, kZeroPage);
  process.touch(600, kA, false).hold(600, kFilePage);  // the huge one
  process.touch(1100, kB).hold(1100, kPageInMemory);   // shared with a child, but written
  TouchedMemory touched = process.look();
  EXPECT_EQ(site_of(touched, kA).resident, 0u);
  EXPECT_EQ(site_of(touched, kB).resident, kPage);
}

TEST(Resident, PagesThatCameAlongAreTheirNeighbours) {
  Process process;
  process.hold(700).begin();
  process.touch(512 + 5, kA).hold(512, kAnonymousPage, 512);  // one fault, a huge page
  process.hold(1024, kAnonymousPage, 10);                     // nobody was seen to touch these
  TouchedMemory touched = process.look();
  EXPECT_EQ(site_of(touched, kA).grown, 511 * kPage);         // one of them was there before
  EXPECT_EQ(site_of(touched, kA).faults, 1u);
  EXPECT_EQ(unseen(touched), 10 * kPage);
}

TEST(Resident, PagesThatNothingIsKnownOfAreNobodysGrowth) {
  Process process;  // begin() was never called
  process.touch(5, kA).hold(0, kAnonymousPage, 100);
  TouchedMemory touched = process.look();
  EXPECT_EQ(site_of(touched, kA).resident, kPage);
  EXPECT_EQ(site_of(touched, kA).grown, 0u);
  EXPECT_EQ(unseen(touched), 0u);
}

TEST(Resident, IsToldByKind) {
  auto kind_in = [](Process process, std::uint64_t entry = kAnonymousPage) {
    process.begin();
    process.touch(1, kA).hold(1, entry);
    return site_of(process.look(), kA).kind;
  };
  EXPECT_EQ(kind_in(Process()), TouchedKind::kAnonymous);
  EXPECT_EQ(kind_in(Process("", true)), TouchedKind::kGenerated);
  EXPECT_EQ(kind_in(Process("[heap]")), TouchedKind::kHeap);
  EXPECT_EQ(kind_in(Process("[stack]")), TouchedKind::kStacks);
  EXPECT_EQ(kind_in(Process("/memfd:frame (deleted)"), kFilePage), TouchedKind::kShared);
  EXPECT_EQ(kind_in(Process("/SYSV00000000 (deleted)"), kFilePage), TouchedKind::kShared);
  EXPECT_EQ(kind_in(Process("/lib/libc.so.6"), kFilePage), TouchedKind::kFiles);
  EXPECT_EQ(kind_in(Process("/lib/libc.so.6")), TouchedKind::kData);
  Process in_heap, in_stack, in_script;
  std::vector<heap::Range> all = {{kFirst * kPage, (kFirst + 100) * kPage}};
  in_heap.owned().heaps = in_stack.owned().stacks = in_script.owned().others.javascript = all;
  EXPECT_EQ(kind_in(in_heap), TouchedKind::kHeap);
  EXPECT_EQ(kind_in(in_stack), TouchedKind::kStacks);
  EXPECT_EQ(kind_in(in_script), TouchedKind::kJavaScript);
}

TEST(Resident, OfOnePageInManyIsAnEstimateWithItsError) {
  constexpr std::uint32_t kShift = 3;
  Process process;
  process.begin();
  process.hold(0, kAnonymousPage, Process::kPages);
  for (std::uint64_t page = 0; page < Process::kPages; ++page)
    if (dwell_page_is_chosen((kFirst + page) * kPage, kShift)) process.touch(page, page < Process::kPages / 4 ? kA : kB, true, kShift);
  TouchedMemory touched = process.look();
  EXPECT_EQ(touched.weight, 8u);
  TouchedSite a = site_of(touched, kA), b = site_of(touched, kB);
  // How many pages there are is known; whose they are is estimated.
  EXPECT_NEAR(static_cast<double>(a.grown + b.grown), Process::kPages * kPage, kPage);
  EXPECT_GT(a.error, 0u);
  EXPECT_NEAR(static_cast<double>(a.resident), Process::kPages / 4 * kPage, 3.0 * static_cast<double>(a.error));
  EXPECT_LT(a.error, a.resident / 4);
}

TEST(Resident, WhatWasThereBeforeIsAssumedWhereItIsTooMuchToLookAt) {
  Process process;
  process.hold(1);
  Pagemap pagemap([](std::uint64_t) { return std::uint64_t{0}; });
  PresentPages none = PresentPages::read(process.owned().uses, pagemap, 1 << 20), assumed = PresentPages::read(process.owned().uses, pagemap, 10);
  EXPECT_TRUE(none.whole());
  EXPECT_FALSE(none.contains(kFirst));
  EXPECT_FALSE(assumed.whole());
  EXPECT_TRUE(assumed.contains(kFirst) && assumed.contains(kFirst + Process::kPages - 1));
  EXPECT_FALSE(assumed.contains(kFirst - 1) || assumed.contains(kFirst + Process::kPages));
}

}  // namespace
}  // namespace dwell::memory
