// SPDX-License-Identifier: Apache-2.0
// What is held, by whom it was taken.
#include <gtest/gtest.h>

#include "userspace/pairs/ledger.h"

namespace dwell::pairs {
namespace {

const HoldSite kSiteA{0, 0, StackId{1}}, kSiteB{0, 0, StackId{2}};
const Resource kObject{0, 0, 0x1000};

class HoldStory : public ::testing::Test {
 protected:
  void take(const HoldSite& site, std::uint64_t value, Tid tid = 1, std::uint64_t size = 0) { ledger_.taken({site, value, ++now_, size, tid}); }
  void give(std::uint64_t value, Tid tid = 1) { ledger_.given(++now_, {0, 0, value}, tid); }
  HoldChange change_of(const HoldSite& site) {
    for (const HoldChange& change : tick_.changes)
      if (change.site == site) return change;
    return {};
  }
  HoldLedger ledger_{0};
  HoldTick tick_;
  std::uint64_t now_ = 100;
};

TEST_F(HoldStory, TakenAndGivenBack) {
  take(kSiteA, 1, 1, 50);
  take(kSiteA, 2, 1, 70);
  give(1);
  tick_ = ledger_.take_tick(200);
  HoldChange change = change_of(kSiteA);
  EXPECT_EQ(change.taken, 2u);
  EXPECT_EQ(change.given, 1u);
  EXPECT_EQ(change.taken_size, 120u);
  EXPECT_EQ(change.given_size, 50u);
  EXPECT_EQ(change.peak, 2u);
  EXPECT_EQ(change.lifetimes, (Lifetimes{{2, 1}}));
  EXPECT_EQ(change.lived_ns, 2u);
  EXPECT_EQ(ledger_.held_count(), 1u);
  ASSERT_EQ(ledger_.holds().size(), 1u);
  EXPECT_EQ(ledger_.holds()[0], (Hold{kSiteA, 2, 102, 70, 1}));
}

TEST_F(HoldStory, AReferenceIsAsDeepAsItWasTaken) {
  for (int i = 0; i < 3; ++i) take(kSiteA, 1);
  give(1);
  give(1);
  EXPECT_EQ(ledger_.held_count(), 1u);
  give(1);
  EXPECT_EQ(ledger_.held_count(), 0u);
  give(1);
  tick_ = ledger_.take_tick(200);
  EXPECT_EQ(tick_.pairs.at(0).unknown, 1u) << "given back once more than it was taken";
  EXPECT_EQ(change_of(kSiteA).given, 3u);
}

// The owner gives its own back; the thread that forgets is the one that holds.
TEST_F(HoldStory, OfSeveralTakingsAThreadGivesBackItsOwn) {
  take(kSiteA, 1, 10);
  take(kSiteB, 1, 20);
  give(1, 10);
  ASSERT_EQ(ledger_.holds().size(), 1u);
  EXPECT_EQ(ledger_.holds()[0].site, kSiteB);
}

TEST_F(HoldStory, OfSeveralTakingsByOthersTheOldestEnds) {
  take(kSiteA, 1, 10);
  take(kSiteB, 1, 20);
  give(1, 30);
  EXPECT_EQ(ledger_.holds().at(0).site, kSiteB);
}

TEST_F(HoldStory, ThePeakIsOfTheTickWithWhatWasHeldBefore) {
  take(kSiteA, 1);
  take(kSiteA, 2);
  tick_ = ledger_.take_tick(200);
  EXPECT_EQ(tick_.pairs.at(0).peak, 2u);
  EXPECT_EQ(tick_.pairs.at(0).peak_ns, 102u);
  give(1);
  tick_ = ledger_.take_tick(300);
  EXPECT_EQ(tick_.pairs.at(0).peak, 2u);
  EXPECT_EQ(change_of(kSiteA).peak, 2u);
  take(kSiteA, 3);
  take(kSiteA, 4);
  EXPECT_EQ(ledger_.take_tick(400).pairs.at(0).peak, 3u);
}

TEST_F(HoldStory, AChildHasWhatItsParentHasAndItsEndGivesBack) {
  take(kSiteA, 1);
  take(kSiteB, 1);
  ledger_.fork(++now_, 0, 1);
  EXPECT_EQ(ledger_.held_count(), 4u);
  ledger_.given(++now_, {1, 0, 1}, 9);
  ledger_.process_ended(++now_, 1);
  EXPECT_EQ(ledger_.held_count(), 2u);
  for (const Hold& hold : ledger_.holds()) EXPECT_EQ(hold.site.process, 0);
}

TEST_F(HoldStory, ValuesOfPairsAndProcessesAreApart) {
  ledger_.taken({{0, 0, StackId{1}}, 5, 1, 0, 1});
  ledger_.taken({{0, 1, StackId{1}}, 5, 2, 0, 1});
  ledger_.given(3, {0, 1, 5}, 1);
  ASSERT_EQ(ledger_.holds().size(), 1u);
  EXPECT_EQ(ledger_.holds()[0].site.pair, 0);
}

}  // namespace
}  // namespace dwell::pairs
