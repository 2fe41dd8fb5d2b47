// SPDX-License-Identifier: Apache-2.0
// Whose a page is, by its faults; and what is kept where there are too many.
#include <gtest/gtest.h>

#include "bpf/faults.h"
#include "userspace/memory/touched/touched_pages.h"

namespace dwell::memory {
namespace {

constexpr StackId kA{1}, kB{2};

PageFault write_at(std::uint64_t page, StackId stack, std::uint32_t shift = 0) { return {.page = page, .stack = stack, .shift = shift, .write = true}; }

bool is_chosen(std::uint64_t page, std::uint32_t shift) { return dwell_page_is_chosen(page << DWELL_FAULT_PAGE_SHIFT, shift) != 0; }

TEST(TouchedPages, BelongToWhoTouchedThemLastWhenTheyWereNotThere) {
  TouchedPages pages;
  pages.apply(write_at(7, kA));
  EXPECT_EQ(pages.find(7)->stack, kA);
  pages.apply(write_at(7, kB));  // given back in between
  EXPECT_EQ(pages.find(7)->stack, kB);
  EXPECT_EQ(pages.size(), 1u);
  EXPECT_EQ(pages.faults().at(kA) + pages.faults().at(kB), 2u);
  EXPECT_EQ(pages.find(8), nullptr);
}

TEST(TouchedPages, OfZerosBecomeTheirFirstWriters) {
  TouchedPages pages;
  pages.apply({.page = 7, .stack = kA});
  EXPECT_FALSE(pages.find(7)->written);
  pages.apply({.page = 7, .stack = kB, .write = true, .was_there = true});
  EXPECT_EQ(pages.find(7)->stack, kB);
  EXPECT_TRUE(pages.find(7)->written);
  // A fault for another reason, after mprotect say, brings no new page.
  pages.apply({.page = 7, .stack = kA, .write = true, .was_there = true});
  EXPECT_EQ(pages.find(7)->stack, kB);
}

TEST(TouchedPages, ThatAreFollowedStandForThoseThatAreNot) {
  constexpr std::uint64_t kAll = 1 << 16;
  TouchedPages pages;
  for (std::uint64_t page = 0; page < kAll; ++page) pages.apply(write_at(page, kA));
  EXPECT_EQ(pages.size(), kAll);
  EXPECT_EQ(pages.largest_shift(), 0u);
  // Faults come too fast: from now on one page in 16.
  for (std::uint64_t page = kAll; page < 2 * kAll; ++page)
    if (is_chosen(page, 4)) pages.apply(write_at(page, kB, 4));
  double of_a = 0, of_b = 0;
  for (std::uint64_t page = 0; page < 2 * kAll; ++page)
    if (const TouchedPage* one = pages.find(page)) (one->stack == kA ? of_a : of_b) += static_cast<double>(one->weight());
  constexpr double kThreeErrors = 3 * 16 * 64;  // 16 * sqrt(2^16 / 16)
  EXPECT_NEAR(of_a, kAll, kThreeErrors);
  EXPECT_NEAR(of_b, kAll, kThreeErrors);
  EXPECT_NEAR(static_cast<double>(pages.faults().at(kB)), kAll, kThreeErrors);
  EXPECT_EQ(pages.faults().at(kA), kAll);  // all of them were seen
  EXPECT_EQ(pages.largest_shift(), 4u);
}

TEST(TouchedPages, AreFollowedAllOfThemAgainWhenFaultsAreFew) {
  TouchedPages pages;
  std::uint64_t chosen = 0;
  while (!is_chosen(chosen, 6)) ++chosen;
  pages.apply(write_at(chosen, kA, 6));
  pages.apply(write_at(chosen + 1, kB, 0));
  EXPECT_EQ(pages.find(chosen)->weight(), 64u);
  EXPECT_EQ(pages.find(chosen + 1)->weight(), 1u);
  pages.apply(write_at(chosen, kB, 0));
  EXPECT_EQ(pages.find(chosen)->weight(), 1u);
}

TEST(TouchedPages, TakeNoMoreMemoryThanTheyMay) {
  TouchedPages pages;
  std::uint32_t told = 0;
  constexpr std::size_t kMost = 1000;
  for (std::uint64_t page = 0; page < 100'000; ++page) {
    if (!is_chosen(page, told)) continue;  // as the kernel's side does when it was told
    pages.apply(write_at(page, kA, told));
    told = std::max(told, pages.fit(kMost));
    ASSERT_LE(pages.size(), kMost + 1);
  }
  EXPECT_GE(told, 6u);
  EXPECT_LE(told, 8u);
  EXPECT_GT(pages.size(), kMost / 4);
}

TEST(TouchedPages, AreNoneAfterExec) {
  TouchedPages pages;
  pages.apply(write_at(7, kA, 3));
  pages.clear();
  EXPECT_EQ(pages.size(), 0u);
  EXPECT_TRUE(pages.faults().empty());
  EXPECT_EQ(pages.largest_shift(), 0u);
}

}  // namespace
}  // namespace dwell::memory
