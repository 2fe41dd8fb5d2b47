// SPDX-License-Identifier: Apache-2.0
// Which descriptors are open, and whose they are, by the order of what happened to them.
#include <gtest/gtest.h>

#include "userspace/files/opened/ledger.h"

namespace dwell::files {
namespace {

constexpr DescriptorSite kSocketSite{0, StackId{1}, FileKind::kSocket, Opening::kAccepted};
constexpr DescriptorSite kFileSite{0, StackId{2}, FileKind::kFile, Opening::kOpened};

// Of a tick; zeros where the site is not in it.
DescriptorChange change_of(const DescriptorTick& tick, const DescriptorSite& site) {
  for (const DescriptorChange& change : tick.changes)
    if (change.site == site) return change;
  return {site};
}

std::vector<std::uint32_t> open_at(const DescriptorLedger& ledger, const DescriptorSite& site) {
  std::vector<std::uint32_t> fds;
  for (const OpenDescriptor& one : ledger.open_descriptors())
    if (one.site == site) fds.push_back(one.fd);
  return fds;
}

TEST(DescriptorLedger, CountsByTheSiteThatOpenedAndKnowsForHowLong) {
  DescriptorLedger ledger(0);
  ledger.opened({1000, 5, kSocketSite});
  ledger.opened({1000, 6, kFileSite});
  ledger.closed(1500, 0, 5, 5);
  DescriptorTick tick = ledger.take_tick(2000);
  EXPECT_EQ(change_of(tick, kSocketSite), (DescriptorChange{kSocketSite, 1, 1, {{9, 1}}}));  // 500 ns have 9 bits
  EXPECT_EQ(change_of(tick, kFileSite), (DescriptorChange{kFileSite, 1, 0, {}}));
  EXPECT_EQ(ledger.open_descriptors(), (std::vector<OpenDescriptor>{{kFileSite, 6, 1000, false}}));
  EXPECT_TRUE(ledger.take_tick(3000).changes.empty());
}

TEST(DescriptorLedger, WhatTakesItsNumberHasClosedTheOtherOne) {
  DescriptorLedger ledger(0);
  ledger.opened({1, 5, kSocketSite});
  ledger.opened({2, 5, kFileSite});
  DescriptorTick tick = ledger.take_tick(3);
  EXPECT_EQ(change_of(tick, kSocketSite).closed, 1u);
  EXPECT_EQ(open_at(ledger, kFileSite), (std::vector<std::uint32_t>{5}));
}

TEST(DescriptorLedger, ARangeClosesWhatIsOpenInIt) {
  DescriptorLedger ledger(0);
  for (std::uint32_t fd : {3u, 5u, 9u, 4000000000u}) ledger.opened({1, fd, kFileSite});
  ledger.opened({1, 5, {1, StackId{2}, FileKind::kFile, Opening::kOpened}});  // another process
  ledger.closed(2, 0, 4, 9);
  EXPECT_EQ(open_at(ledger, kFileSite), (std::vector<std::uint32_t>{3, 4000000000}));
  EXPECT_EQ(ledger.open_count(), 3u);
  ledger.closed(3, 0, 77, 77);  // nothing is there
  EXPECT_EQ(change_of(ledger.take_tick(4), kFileSite).closed, 2u);
}

TEST(DescriptorLedger, AnExecLeavesWhatItsBitsSay) {
  DescriptorLedger ledger(0);
  for (std::uint32_t fd : {0u, 5u, 63u, 64u, 130u}) ledger.opened({1, fd, kFileSite});
  ledger.left(2, 0, 0, 1ull << 5 | 1ull << 63, false);
  ledger.left(2, 0, 64, 1, false);
  ledger.left(2, 0, 128, 0, true);
  EXPECT_EQ(open_at(ledger, kFileSite), (std::vector<std::uint32_t>{5, 63, 64}));
}

TEST(DescriptorLedger, WhatWasOpenBeforeIsAKindOfItsOwnAndLessensAsItIsClosed) {
  constexpr DescriptorSite kBeforeSite{0, StackId::kUnknown, FileKind::kFile, Opening::kBefore};
  DescriptorLedger ledger(0);
  ledger.add_before(100, 0, std::vector<SeenDescriptor>{{3, FileKind::kFile}, {4, FileKind::kFile}, {5, FileKind::kFile}});
  ledger.opened({50, 3, kFileSite});   // it was opened before the look, which saw it: not open before
  ledger.closed(150, 0, 4, 4);
  ledger.opened({200, 5, kFileSite});  // dup2 over it
  DescriptorChange before = change_of(ledger.take_tick(300), kBeforeSite);
  EXPECT_EQ(before.opened, 2u);
  EXPECT_EQ(before.closed, 2u);
  EXPECT_TRUE(before.lifetimes.empty()) << "since when is not known";
  EXPECT_EQ(open_at(ledger, kFileSite), (std::vector<std::uint32_t>{3, 5}));
}

TEST(DescriptorLedger, AChildHasWhatItsParentHadAndWasSeenToHave) {
  DescriptorLedger ledger(0);
  ledger.opened({1, 5, kSocketSite});
  ledger.opened({1, 6, kFileSite});
  ledger.fork(9, 0, 1, std::vector<SeenDescriptor>{{5, FileKind::kSocket}, {7, FileKind::kPipe}});
  EXPECT_EQ(open_at(ledger, {1, StackId{1}, FileKind::kSocket, Opening::kInherited}), (std::vector<std::uint32_t>{5}));
  EXPECT_EQ(open_at(ledger, {1, StackId::kUnknown, FileKind::kPipe, Opening::kUnseen}), (std::vector<std::uint32_t>{7}));
  ledger.closed(10, 0, 5, 5);
  EXPECT_EQ(ledger.open_count(), 3u) << "the child's is its own";
  ledger.process_ended(11, 1);
  EXPECT_EQ(ledger.open_count(), 1u);
}

TEST(DescriptorLedger, IsCorrectedByWhatIsOpenAndTellsBothWays) {
  DescriptorLedger ledger(0);
  for (std::uint32_t fd : {3u, 4u, 5u, 6u}) ledger.opened({1, fd, kFileSite});
  ledger.expect_check();
  ledger.closed(5, 0, 6, 6);            // after the list was read, or just before: who knows
  ledger.opened({6, 7, kFileSite});
  DescriptorCheck check = ledger.check(9, 0, std::vector<SeenDescriptor>{{3, FileKind::kFile}, {6, FileKind::kFile}, {8, FileKind::kPipe}});
  EXPECT_EQ(check, (DescriptorCheck{0, 1, 2, 1}));
  EXPECT_EQ(open_at(ledger, kFileSite), (std::vector<std::uint32_t>{3, 7}));
  EXPECT_EQ(open_at(ledger, {0, StackId::kUnknown, FileKind::kPipe, Opening::kUnseen}), (std::vector<std::uint32_t>{8}));
  EXPECT_EQ(ledger.check(9, 1, {}), DescriptorCheck{1}) << "another process";
}

}  // namespace
}  // namespace dwell::files
