// SPDX-License-Identifier: Apache-2.0
// What recorded looks at a Go program mean.
#include "userspace/go/record/report.h"

#include <gtest/gtest.h>

#include "userspace/go/record/diff.h"
#include "userspace/go/record/profiles.h"
#include "userspace/go/record/tracing.h"
#include "userspace/go/part.h"
#include "userspace/record/look_budget.h"

namespace dwell {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

// Goroutines of two creators, main.leak and main.serve, and a heap of two sites.
class Story {
 public:
  Story() {
    recording.processes = {{7, -1, "app", "app", 0, 0}};
    recording.modules = {{"/bin/app", "", 4096, ModuleKind::kFile}};
    recording.stacks.emplace_back();
    for (const char* name :
         {"main.leak", "main.serve", "main.leak.func1", "main.serve.func1", "main.keep", "main.garbage"}) {
      std::uint32_t location = static_cast<std::uint32_t>(recording.locations.size());
      recording.locations.push_back({0, 16 * (location + 1), true});
      recording.symbols.push_back({{{name, "", "app.go", 10 + location}}});
      recording.stacks.push_back({{location}, 0});
    }
    go_of(recording).buckets = {{0, GoProfileKind::kHeap, 1024, stack(5)},
                            {0, GoProfileKind::kHeap, 64, stack(6)}};
  }

  void look(std::uint64_t leaked, std::uint64_t serving) {
    GoLook look;
    look.time_ns = ++second * kSecond;
    look.version = "go1.24.4";
    look.figures.alive = leaked + serving;
    look.groups = {group(leaked, 1, 3, "chan receive"), group(serving, 2, 4, "IO wait")};
    go_of(recording).looks.push_back(std::move(look));
  }
  void heap(std::vector<GoBucketRow> rows) {
    go_of(recording).profiles.push_back({second * kSecond, 0, GoProfileKind::kHeap, 1, 0, std::move(rows)});
  }

  Recording recording;
  std::uint64_t second = 0;

 private:
  static GoStack stack(std::uint32_t id) { return {StackId{id}, {false}}; }
  static GoGroup group(std::uint64_t count, std::uint32_t creator, std::uint32_t where, const char* state) {
    GoGroup group;
    group.count = count;
    group.state = state;
    group.waits = true;
    group.creator = stack(creator);
    group.stack = stack(where);
    return group;
  }
};

TEST(GoReport, TellsCreatorsThatGrowFromThoseThatComeAndGo) {
  Story story;
  for (std::uint64_t i = 0; i < 20; ++i) story.look(100 + 10 * i, 500 + 40 * (i % 3));
  GoReport report = go_reports(story.recording).at(0);
  EXPECT_EQ(report.looks, 20u);
  ASSERT_EQ(report.creators.size(), 2u);
  const GoCreatorReport &leak = report.creators[0], &serve = report.creators[1];
  EXPECT_EQ(leak.creator.function, "main.leak");
  EXPECT_TRUE(leak.count.grows);
  EXPECT_NEAR(*leak.count.per_minute, 600, 1);
  EXPECT_EQ(leak.count.first, 100u);
  EXPECT_EQ(leak.count.last, 290u);
  EXPECT_EQ(leak.calls[0].function, "main.leak.func1");
  EXPECT_FALSE(serve.count.grows);
  EXPECT_EQ(serve.count.most, 580u);
}

TEST(GoReport, SaysNothingOfGrowthBeforeItCanKnow) {
  Story story;
  for (std::uint64_t i = 0; i < 5; ++i) story.look(100 + 10 * i, 1);
  GoReport report = go_reports(story.recording).at(0);
  EXPECT_FALSE(report.goroutines.per_minute);
  EXPECT_FALSE(report.creators[0].count.grows);
}

// What went up and came back down by half is no leak.
TEST(GoReport, WhatShrinksAgainDoesNotGrow) {
  Story story;
  for (std::uint64_t i = 0; i < 15; ++i) story.look(100 + 20 * i, 1);
  story.look(200, 1);
  EXPECT_FALSE(go_reports(story.recording).at(0).creators[0].count.grows);
}

TEST(GoReport, EstimatesWhatWasAllocatedBetweenTheLooksAlone) {
  Story story;
  story.look(1, 1);
  story.heap({{0, {10, 10'240, 50, 51'200}, {}}, {1, {0, 0, 1'000, 64'000}, {100, 6'400}}});
  story.look(1, 1);
  story.heap({{0, {30, 30'720, 70, 71'680}, {}}});
  story.look(1, 1);
  story.heap({{1, {5, 320, 1'500, 96'000}, {50, 3'200}}});
  GoHeapReport heap = *go_reports(story.recording).at(0).heap;
  EXPECT_EQ(heap.window_ns, 2 * kSecond);
  ASSERT_EQ(heap.sites.size(), 2u);
  EXPECT_EQ(heap.sites[0].calls[0].function, "main.keep");
  EXPECT_EQ(heap.sites[0].in_use.bytes, 30'720);
  EXPECT_EQ(heap.sites[0].allocated.bytes, 20'480);
  EXPECT_EQ(heap.sites[0].allocated.error, 0);  // each allocation was sampled
  EXPECT_EQ(heap.sites[1].allocated.bytes, 96'000 + 3'200 - 64'000 - 6'400);
}

TEST(GoReport, StatesTheErrorOfTheSampling) {
  Story story;
  story.look(1, 1);
  go_of(story.recording).profiles = {
      {kSecond, 0, GoProfileKind::kHeap, 524'288, 0, {{0, {100, 102'400, 100, 102'400}, {}}}}};
  GoHeapReport heap = *go_reports(story.recording).at(0).heap;
  // One object of 1 KB in 512 is sampled: 100 of them stand for 51,250, give or take a tenth.
  EXPECT_NEAR(heap.in_use.objects, 51'250, 1);
  EXPECT_NEAR(heap.in_use.error, heap.in_use.bytes / 10, 1);
}

TEST(GoDiff, ComparesByName) {
  Story before, after;
  before.look(100, 500);
  before.heap({{0, {10, 10'240, 50, 51'200}, {}}});
  after.look(180, 490);
  after.heap({{0, {20, 20'480, 50, 51'200}, {}}});
  GoDiff diff = *go_diff(before.recording, after.recording);
  ASSERT_EQ(diff.creators.size(), 2u);
  EXPECT_EQ(diff.creators[0].creator.function, "main.leak");
  EXPECT_EQ(diff.creators[0].after - diff.creators[0].before, 80u);
  EXPECT_EQ(diff.creators[1].creator.function, "main.serve");
  ASSERT_EQ(diff.sites.size(), 1u);
  EXPECT_EQ(diff.sites[0].after.bytes - diff.sites[0].before.bytes, 10'240);
}

TEST(GoProfiles, KeepLabelsApartAndLeaveTheRuntimeOut) {
  Story story;
  story.look(30, 5);
  GoLook& look = go_of(story.recording).looks[0];
  look.groups[0].labels = {{{{"job", "a"}}, 12}};
  look.groups.push_back(look.groups[1]);
  look.groups.back().of_runtime = true;
  Result<Profile> profile = goroutine_profile(story.recording);
  ASSERT_TRUE(profile);
  std::int64_t sum = 0;
  for (const ProfileSample& sample : profile->samples) sum += sample.values[0];
  EXPECT_EQ(sum, 35);
  ASSERT_EQ(profile->samples.size(), 3u);
  EXPECT_EQ(profile->samples[0].values[0], 12);
  EXPECT_EQ(profile->samples[0].labels[1].text, "a");
  EXPECT_FALSE(go_contention_profile(story.recording, GoProfileKind::kMutex));
}

TEST(GoTracing, LooksOftenAtFirstAndNeverForMoreThanAHundredthOfTheTime) {
  EXPECT_EQ(look_pause_ns(0, 1'000'000), kSecond);
  EXPECT_EQ(look_pause_ns(600 * kSecond, 1'000'000), 10 * kSecond);
  EXPECT_EQ(look_pause_ns(1'000'000 * kSecond, 1'000'000), 60 * kSecond);
  EXPECT_EQ(look_pause_ns(kSecond, kSecond), 100 * kSecond);
  EXPECT_EQ(look_pause_ns(0, kSecond), 10 * kSecond);  // everything is named in the first look
}

}  // namespace
}  // namespace dwell
