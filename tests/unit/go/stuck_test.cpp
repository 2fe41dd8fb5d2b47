// SPDX-License-Identifier: Apache-2.0
// When a goroutine has run between two looks, and what is said of a proof.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "userspace/go/goroutines/stillness.h"
#include "userspace/go/goroutines/stuck_text.h"

namespace dwell {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Goroutine waiting() {
  Goroutine goroutine;
  goroutine.address = 0xc000'0000;
  goroutine.id = 7;
  goroutine.status = GoStatus::kWaiting;
  goroutine.wait_reason = 14;
  goroutine.waiting = 0xc000'1000;
  goroutine.stack_high = 0x8000;
  goroutine.sp = 0x7f00;
  goroutine.pc = 0x401234;
  goroutine.departures = 9;
  return goroutine;
}

TEST(Stillness, WhoHasNotMovedHasNotRun) {
  EXPECT_FALSE(has_run_between(stillness_of(waiting()), stillness_of(waiting())));
}

TEST(Stillness, AnythingThatRunningChangesTells) {
  Stillness before = stillness_of(waiting());
  auto changed = [&](auto change) {
    Goroutine later = waiting();
    change(later);
    return has_run_between(before, stillness_of(later));
  };
  EXPECT_TRUE(changed([](Goroutine& g) { ++g.departures; })) << "it left its processor once more";
  EXPECT_TRUE(changed([](Goroutine& g) { g.waiting = 0xc000'2000; }));
  EXPECT_TRUE(changed([](Goroutine& g) { g.sp -= 16; }));
  EXPECT_TRUE(changed([](Goroutine& g) { g.pc += 5; }));
  EXPECT_TRUE(changed([](Goroutine& g) { g.wait_reason = 15; }));
  EXPECT_TRUE(changed([](Goroutine& g) { g.id = 8; })) << "another one in the memory of the former";
}

TEST(Stillness, ACollectionMovesStacksAndNotesWhoWaits) {
  Goroutine moved = waiting();
  moved.stack_high -= 0x4000;
  moved.sp -= 0x4000;
  moved.wait_since_ns = 500;
  EXPECT_FALSE(has_run_between(stillness_of(waiting()), stillness_of(moved)));
  Goroutine waits_anew = moved;
  waits_anew.wait_since_ns = 900;
  EXPECT_TRUE(has_run_between(stillness_of(moved), stillness_of(waits_anew)));
  waits_anew.wait_since_ns = 0;
  EXPECT_TRUE(has_run_between(stillness_of(moved), stillness_of(waits_anew)));
}

TEST(StuckWords, WhereNothingWasProvedNothingElseIsSaid) {
  StuckFigures figures;
  figures.candidates = 312;
  std::string text = stuck_text(figures, {});
  EXPECT_EQ(text, "No goroutine is proved stuck, of 312 that wait for a channel or a lock.\n");
  figures.not_judged = {100, 5061, 3};
  text = stuck_text(figures, {});
  EXPECT_THAT(text, HasSubstr("Not judged, whether stuck or not: waits 100 for a sync.Cond"));
  EXPECT_THAT(text, HasSubstr("5,061 for a lock that a global variable leads to"));
  EXPECT_THAT(text, HasSubstr("3 for a lock that shares its block"));
}

TEST(StuckWords, WhoWaitsForLostContextsIsCounted) {
  StuckFigures figures;
  figures.abandoned = 100;
  figures.proved = true;
  std::string text = stuck_text(figures, {});
  EXPECT_THAT(text, HasSubstr("100 goroutines wait only for lost contexts: nothing has the function"));
  EXPECT_THAT(text, Not(HasSubstr("No goroutine")));
  figures.never = 1;
  text = stuck_text(figures, {});
  EXPECT_THAT(text, HasSubstr("1 goroutine can never wake: nothing that may still run leads to what it waits for."));
}

TEST(StuckWords, WhatIsNotProvedIsVeryLikely) {
  StuckFigures figures;
  figures.never = 4;
  figures.abandoned = 1;
  figures.reservation = "goroutine 9 ran at each of the 8 looks";
  figures.of_the_past = true;
  std::string text = stuck_text(figures, {});
  EXPECT_THAT(text, HasSubstr("At the end 4 goroutines could very likely never wake"));
  EXPECT_THAT(text, HasSubstr("At the end 1 goroutine waited only for lost contexts, very likely:"));
  EXPECT_THAT(text, HasSubstr("Not proved: goroutine 9 ran at each of the 8 looks."));
}

}  // namespace
}  // namespace dwell
