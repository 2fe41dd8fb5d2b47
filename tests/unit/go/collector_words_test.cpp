// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/findings/collector_words.h"

#include <gtest/gtest.h>

namespace dwell {
namespace {

constexpr std::uint64_t kMb = 1 << 20;

Collector collector_with(std::uint64_t live, std::uint64_t heap, std::uint64_t goal) {
  Collector collector;
  collector.live_bytes = live;
  collector.heap_bytes = heap;
  collector.goal_bytes = goal;
  collector.percent = 100;
  return collector;
}

TEST(CollectorReasonWords, AreTheLimitOnlyWhereLittleIsLeftOfIt) {
  Collector collector = collector_with(498 * kMb, 500 * kMb, 996 * kMb);
  EXPECT_FALSE(reason_of(collector).at_limit);
  collector.limit = 512 * kMb;
  EXPECT_TRUE(reason_of(collector).at_limit);
  EXPECT_EQ(reason_of(collector).words, "GOMEMLIMIT is 512.0 MB and 498.0 MB are live");
  collector.group_limit = 2048 * kMb;
  EXPECT_EQ(reason_of(collector).words, "GOMEMLIMIT is 512.0 MB and 498.0 MB are live (its control group allows 2.0 GB)");
  collector.limit = 2000 * kMb;
  EXPECT_FALSE(reason_of(collector).at_limit);
}

TEST(CollectorReasonWords, AreNoneWithoutFigures) { EXPECT_EQ(reason_of({}).words, ""); }

TEST(BeyondGroup, IsWhatGrowsBeforeItIsCollected) {
  Collector collector = collector_with(500 * kMb, 600 * kMb, 1000 * kMb);
  EXPECT_FALSE(beyond_group(collector)) << "no control group has a limit";
  collector.group_limit = 1000 * kMb;
  collector.group_in_use = 700 * kMb;
  EXPECT_EQ(beyond_group(collector).value_or(""), "the heap may grow by 400.0 MB before it is collected, to 1000.0 MB, and its control group has 300.0 MB left of 1000.0 MB");
  collector.idle_bytes = 150 * kMb;  // is used first
  EXPECT_FALSE(beyond_group(collector));
  collector.idle_bytes = 0;
  collector.limit = 900 * kMb;  // it is collected before
  EXPECT_FALSE(beyond_group(collector));
  collector.limit = 2000 * kMb;
  EXPECT_TRUE(beyond_group(collector));
  collector.heap_bytes = 1200 * kMb;  // beyond its goal already
  EXPECT_FALSE(beyond_group(collector));
}

TEST(AssistWords, AreAveragesOverTheGlances) {
  EXPECT_EQ(assist_words({}), "");
  EXPECT_EQ(assist_words({20, 0, 0, {}}), "");
  EXPECT_EQ(assist_words({20, 30, 10, {{"main.go:7 (main.f)", 40}}}),
            "goroutines that allocate have to help it: 1.5 of them at a time, and 0.5 at a time wait for it, most at main.go:7 (main.f) (20 glances)");
  EXPECT_EQ(assist_words({20, 0, 10, {{"main.go:7 (main.f)", 10}}}), "of goroutines that allocate, 0.5 at a time wait for it, most at main.go:7 (main.f) (20 glances)");
}

TEST(CollectorsCpu, IsWhatItsThreadsHadOfWhatTheyWanted) {
  std::optional<WantedCpuTime> first, last;
  EXPECT_EQ(had_of_wanted_cpu(first, last), 1) << "not known";
  first = {1'000'000'000, 500'000'000};
  last = {1'200'000'000, 1'100'000'000};
  EXPECT_DOUBLE_EQ(had_of_wanted_cpu(first, last), 0.25);
  EXPECT_EQ(had_of_wanted_cpu(last, first), 1) << "threads have ended";
  EXPECT_EQ(had_of_wanted_cpu(first, first), 1) << "it wanted none";
}

TEST(CollectorsCpu, RaisesTheRateByNoMoreThanFourTimes) {
  EXPECT_DOUBLE_EQ(wanted_per_second(9, 1), 9);
  EXPECT_DOUBLE_EQ(wanted_per_second(9, 0.5), 18);
  EXPECT_DOUBLE_EQ(wanted_per_second(9, 0.01), 36);
  EXPECT_EQ(had_words(9, 0.95), "");
  EXPECT_EQ(had_words(9, 0.45), "the program had 45% of the CPU time that it wanted: with all of it that would be about 20 times a second");
}

}  // namespace
}  // namespace dwell
