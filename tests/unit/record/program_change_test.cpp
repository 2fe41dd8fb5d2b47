// SPDX-License-Identifier: Apache-2.0
#include "userspace/record/program_change.h"

#include <gtest/gtest.h>

namespace dwell {
namespace {

constexpr std::uint64_t kMs = 1'000'000;
using Messenger = ProgramChange::Messenger;

TEST(ProgramChange, TwoMessengersTellOfOneExec) {
  ProgramChange change;
  EXPECT_TRUE(change.executed(Messenger::kWatch, 100 * kMs));
  EXPECT_FALSE(change.executed(Messenger::kRing, 101 * kMs));
  EXPECT_TRUE(change.executed(Messenger::kRing, 300 * kMs));
  EXPECT_FALSE(change.executed(Messenger::kWatch, 299 * kMs));
  EXPECT_EQ(change.settled(1000 * kMs)->execs, 2u);
}

TEST(ProgramChange, AQuickSecondExecIsNotTakenForTheFirst) {
  ProgramChange change;
  EXPECT_TRUE(change.executed(Messenger::kWatch, 100 * kMs));
  EXPECT_TRUE(change.executed(Messenger::kWatch, 101 * kMs));
  EXPECT_FALSE(change.executed(Messenger::kRing, 100 * kMs));
  EXPECT_FALSE(change.executed(Messenger::kRing, 101 * kMs));
}

TEST(ProgramChange, WhereAllProbesWereInPlaceOnlyStacksWereCut) {
  ProgramChange change;
  change.executed(Messenger::kRing, 100 * kMs);
  change.caught_up(102 * kMs, true, false);
  change.caught_up(105 * kMs, true, false);   // the loader has mapped another library
  change.caught_up(140 * kMs, false, false);  // nothing new
  EXPECT_FALSE(change.settled(150 * kMs)) << "the loader may not be done";
  ProgramChange::Gap gap = *change.settled(156 * kMs);
  EXPECT_EQ(gap.cut_ns, 5 * kMs);
  EXPECT_EQ(gap.missed_ns, 0u);
  EXPECT_FALSE(change.settled(300 * kMs)) << "told once";
}

TEST(ProgramChange, LateProbesAreAGap) {
  ProgramChange change;
  change.executed(Messenger::kRing, 100 * kMs);
  change.caught_up(108 * kMs, true, true);
  change.caught_up(110 * kMs, true, false);
  ProgramChange::Gap gap = *change.settled(200 * kMs);
  EXPECT_EQ(gap.missed_ns, 8 * kMs);
  EXPECT_EQ(gap.cut_ns, 10 * kMs);
}

TEST(ProgramChange, ExecsWithoutEndAreToldNowAndThenAndAddUp) {
  ProgramChange change;
  std::uint64_t execs = 0, missed_ns = 0, told = 0;
  for (std::uint64_t ms = 0; ms < 100'000; ms += 4) {
    change.executed(Messenger::kRing, ms * kMs);
    change.caught_up((ms + 1) * kMs, true, true);
    if (auto gap = change.settled((ms + 2) * kMs)) {
      execs += gap->execs;
      missed_ns += gap->missed_ns;
      ++told;
    }
  }
  if (auto gap = change.settled(100'000 * kMs, true)) execs += gap->execs, missed_ns += gap->missed_ns;
  EXPECT_EQ(execs, 25'000u);
  EXPECT_EQ(missed_ns, 25'000 * kMs);
  EXPECT_GE(told, 4u);
  EXPECT_LE(told, 10u) << "a note for each would fill the recording";
}

TEST(ProgramChange, AHeldProgramMissesNothing) {
  ProgramChange change;
  change.executed(Messenger::kRing, 100 * kMs);
  change.caught_up(102 * kMs, true, true);
  change.nothing_missed();
  EXPECT_FALSE(change.settled(1000 * kMs, true));
}

}  // namespace
}  // namespace dwell
