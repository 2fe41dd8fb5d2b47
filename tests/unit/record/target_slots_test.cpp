// SPDX-License-Identifier: Apache-2.0
#include "userspace/record/target_slots.h"

#include <gtest/gtest.h>

#include "userspace/probes/probe_room.h"

namespace dwell {
namespace {

constexpr int kAll = 255;

TEST(TargetSlots, GivesASlotAgainWhenItsProcessHasEnded) {
  TargetSlots slots;
  for (int process = 0; process < kAll; ++process) ASSERT_TRUE(slots.take(static_cast<ProcessSlot>(process)));
  EXPECT_FALSE(slots.has_room());
  EXPECT_FALSE(slots.take(1000));
  slots.give_back(7);
  slots.give_back(3);
  EXPECT_EQ(slots.owner(7), kNoProcess);
  EXPECT_EQ(slots.take(1000), TargetSlot{7}) << "the one that has been free for longest";
  EXPECT_EQ(slots.owner(7), 1000);
  EXPECT_EQ(slots.take(1001), TargetSlot{3});
}

TEST(TargetSlots, NeverGivesTheOneThatMeansNobody) {
  TargetSlots slots;
  for (int process = 0; process < kAll; ++process) EXPECT_NE(slots.take(static_cast<ProcessSlot>(process)), DWELL_NO_SLOT);
  EXPECT_EQ(slots.owner(DWELL_NO_SLOT), kNoProcess);
}

TEST(TargetSlots, KeepsSlotsThatTheKernelCountsBy) {
  TargetSlots slots;
  slots.never_reuse();
  for (int process = 0; process < kAll; ++process)
    EXPECT_EQ(slots.take(static_cast<ProcessSlot>(process)), static_cast<TargetSlot>(process));
  slots.give_back(7);
  EXPECT_EQ(slots.owner(7), 7) << "what was counted is still its";
  EXPECT_FALSE(slots.has_room());
}

TEST(TargetSlots, WhatComesOfAProcessThatWasGivenUpIsNobodys) {
  TargetSlots slots;
  TargetSlot slot = *slots.take(4);
  slots.disown(slot);
  EXPECT_EQ(slots.owner(slot), kNoProcess);
}

TEST(ProbeRoom, HasRoomBelowTheTableOfHitsOnly) {
  EXPECT_EQ(probes_that_fit(1, 10), 10u);
  EXPECT_EQ(probes_that_fit(DWELL_MAX_PROBES - 3, 10), 3u);
  EXPECT_EQ(probes_that_fit(DWELL_MAX_PROBES - 1, 1), 1u);
  EXPECT_EQ(probes_that_fit(DWELL_MAX_PROBES, 1), 0u);
  EXPECT_EQ(probes_that_fit(65'535, 70'000), 0u);
}

}  // namespace
}  // namespace dwell
