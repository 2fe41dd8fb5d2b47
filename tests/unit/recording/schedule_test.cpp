// SPDX-License-Identifier: Apache-2.0
#include "userspace/recording/schedule.h"

#include <gtest/gtest.h>

namespace dwell {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kStart = 12345;

struct Written {
  std::uint64_t ticks = 0, bytes = 0, longest = 0;
};

// A recording in which every tick takes the same number of bytes.
Written run(std::uint64_t seconds, std::uint64_t bytes_a_tick) {
  TickSchedule schedule(kStart);
  Written written;
  std::uint64_t last = kStart;
  for (std::uint64_t now = kStart; now <= kStart + seconds * kSecond; now = schedule.next_tick_ns()) {
    if (!schedule.tick_due(now)) continue;
    schedule.ticked(now, bytes_a_tick);
    ++written.ticks;
    written.bytes += bytes_a_tick;
    written.longest = std::max(written.longest, now - last);
    last = now;
  }
  return written;
}

TEST(TickSchedule, ASmallRecordingHasATickASecondAtFirst) {
  EXPECT_EQ(run(59, 1000).ticks, 59u);
  EXPECT_EQ(run(59, 1000).longest, kSecond);
}

TEST(TickSchedule, TicksStayShortWhereSomebodyWatches) {
  TickSchedule watched(kStart, 10 * kSecond), dear(kStart, 10 * kSecond);
  std::uint64_t after_hours = kStart + 20'000 * kSecond;
  watched.ticked(after_hours, 1000);
  EXPECT_EQ(watched.next_tick_ns(), after_hours + 10 * kSecond);
  dear.ticked(after_hours, 100'000'000);
  EXPECT_GT(dear.next_tick_ns(), after_hours + 10 * kSecond) << "the size of the recording stays bounded";
}

TEST(TickSchedule, TicksGrowWithTheAgeOfTheRecording) {
  Written day = run(86'400, 1000);
  EXPECT_LE(day.longest, 61 * kSecond);
  EXPECT_GT(day.ticks, 1440u);
  EXPECT_LT(day.ticks, 2000u);
}

TEST(TickSchedule, TicksThatCostMuchAreFewer) {
  EXPECT_LE(run(600, 200'000).bytes, 11'000'000u);
  EXPECT_LE(run(86'400, 200'000).bytes, 32'000'000u);
  EXPECT_GE(run(600, 200'000).ticks, 20u);
}

TEST(TickSchedule, CheckpointsComeAtGrowingDistances) {
  TickSchedule schedule(kStart);
  std::vector<std::uint64_t> minutes;
  for (std::uint64_t minute = 0; minute <= 20; ++minute) {
    std::uint64_t now = kStart + minute * 60 * kSecond;
    if (!schedule.checkpoint_due(now, 1000, 1'000'000)) continue;
    schedule.checkpointed(now);
    minutes.push_back(minute);
  }
  EXPECT_EQ(minutes, (std::vector<std::uint64_t>{1, 2, 4, 8, 16}));
}

TEST(TickSchedule, ACheckpointThatWouldDwarfTheFileIsNotDue) {
  TickSchedule schedule(kStart);
  EXPECT_FALSE(schedule.checkpoint_due(kStart + 3600 * kSecond, 10'000'000, 1'000'000));
  EXPECT_FALSE(schedule.checkpoint_due(kStart + 3600 * kSecond, 10'000'000, 1'000'000'000)) << "it would take seconds";
  EXPECT_TRUE(schedule.checkpoint_due(kStart + 3600 * kSecond, 10'000, 1'000'000));
}

}  // namespace
}  // namespace dwell
