// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "story_recording.h"
#include "userspace/memory/report.h"
#include "userspace/memory/part.h"
#include "userspace/views/profile_diff.h"

namespace dwell {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// The same program, in two recordings that met its functions in another order and at other addresses.
Recording yesterday() {
  StoryRecording story;
  StackId load = story.stack({"load", "main"}), cache = story.stack({"cache", "main"}), gone = story.stack({"gone", "main"});
  story.alloc(0x10, 1000, load).alloc(0x20, 100, cache).alloc(0x30, 70, gone);
  Recording recording = story.end(kSecond);
  recording.processes[0].pid = 41;
  return recording;
}

Recording today(const std::string& build_id = "abcd", bool lines_moved = false) {
  StoryRecording story;
  story.build_id = build_id;
  StackId fresh = story.stack({"fresh", "main"}), cache = story.stack({"cache", "main"}), load = story.stack({"load", "main"});
  story.alloc(0x70, 5, fresh).alloc(0x10, 100, cache).alloc(0x20, 400, cache).alloc(0x40, 1000, load);
  Recording recording = story.end(kSecond);
  const std::map<std::string, std::uint32_t> lines = {{"load", 100}, {"main", 101}, {"cache", 102}, {"gone", 103}, {"fresh", 104}};
  for (LocationSymbol& symbol : recording.symbols)
    for (SymbolFrame& frame : symbol.frames) frame.line = lines.at(frame.function) + (lines_moved ? 1000 : 0);
  return recording;
}

std::map<std::string, std::int64_t> grown(const Profile& profile) {
  std::map<std::string, std::int64_t> result;
  for (const ProfileSample& sample : profile.samples)
    result[profile.locations[sample.stack.front()].lines.front().function] += sample.values.back();
  return result;
}

Profile growth(const Recording& before, const Recording& after, MemoryView view, std::uint64_t least = 0) {
  return profile_difference(*memory_profile(before, view, {}), *memory_profile(after, view, {}), least);
}

TEST(MemoryDiff, ComparesStacksAsTheyRead) {
  Result<MemoryDiff> diff = memory_diff(yesterday(), today(), {});
  ASSERT_TRUE(diff) << diff.error().what;
  ASSERT_EQ(diff->sites.size(), 3u) << "load() did not change";
  EXPECT_EQ(diff->sites[0].stack.frames()[0].function, "cache");
  EXPECT_EQ(diff->sites[0].before.retained_bytes, 100);
  EXPECT_EQ(diff->sites[0].after.retained_bytes, 500);
  EXPECT_EQ(diff->sites[1].stack.frames()[0].function, "fresh");
  EXPECT_FALSE(diff->sites[1].in_before);
  EXPECT_EQ(diff->sites[2].stack.frames()[0].function, "gone");
  EXPECT_FALSE(diff->sites[2].in_after);
  ASSERT_EQ(diff->totals.size(), 1u);
  EXPECT_EQ(diff->totals[0].after.retained_bytes - diff->totals[0].before.retained_bytes, 400 + 5 - 70);
}

TEST(MemoryDiff, TheProfileTellsTheSame) {
  EXPECT_EQ(grown(growth(yesterday(), today(), MemoryView::kRetained)),
            (std::map<std::string, std::int64_t>{{"cache", 400}, {"fresh", 5}, {"gone", -70}}));
}

TEST(MemoryDiff, OfItselfIsEmpty) {
  EXPECT_THAT(memory_diff(today(), today(), {})->sites, IsEmpty());
  EXPECT_THAT(growth(today(), today(), MemoryView::kAll).samples, IsEmpty());
}

TEST(MemoryDiff, WhatIsSoOfBothIsSaidOnce) {
  std::vector<std::string> notes = memory_diff(today(), today(), {})->notes;
  EXPECT_THAT(notes, Contains(::testing::StartsWith("both: ")));
  EXPECT_THAT(notes, ::testing::Not(Contains(::testing::AnyOf(::testing::StartsWith("before: "), ::testing::StartsWith("after: ")))));
}

TEST(MemoryDiff, LinesThatMovedInTheSameBuildAreOtherPlaces) {
  EXPECT_EQ(memory_diff(yesterday(), today("abcd", true), {})->sites.size(), 6u);
}

TEST(MemoryDiff, InAnotherBuildFunctionsAreComparedByName) {
  Result<MemoryDiff> diff = memory_diff(yesterday(), today("ef01", true), {});
  ASSERT_TRUE(diff);
  EXPECT_EQ(diff->sites.size(), 3u);
  EXPECT_THAT(diff->notes, Contains(HasSubstr("/usr/bin/app is another build")));
  EXPECT_EQ(grown(growth(yesterday(), today("ef01", true), MemoryView::kRetained)),
            (std::map<std::string, std::int64_t>{{"cache", 400}, {"fresh", 5}, {"gone", -70}}));
}

TEST(MemoryDiff, SmallChangesMayBeLeftOut) {
  MemoryFilter filter;
  filter.min_bytes = 60;
  EXPECT_EQ(memory_diff(yesterday(), today(), filter)->sites.size(), 2u);
  EXPECT_EQ(growth(yesterday(), today(), MemoryView::kRetained, filter.min_bytes).samples.size(), 2u);
}

// The same recording, begun later.
Recording later(Recording recording, std::uint64_t by_ns) {
  recording.info.start_unix_ns += by_ns;
  recording.info.start_monotonic_ns += by_ns;
  recording.end.time_ns += by_ns;
  memory_of(recording).live.time_ns += by_ns;
  for (MemoryTick& tick : memory_of(recording).ticks) {
    tick.start_ns += by_ns;
    tick.end_ns += by_ns;
  }
  return recording;
}

Recording window_of(std::uint64_t seconds, int blocks) {
  StoryRecording story;
  StackId leak = story.stack({"leak", "main"});
  for (int i = 0; i < blocks; ++i) story.alloc(0x1000 + 0x100 * static_cast<std::uint64_t>(i), 1000, leak);
  return story.end(seconds * kSecond);
}

TEST(MemoryDiff, TwoWindowsOfOneProcessAreComparedByRate) {
  Recording before = window_of(6, 60), after = later(window_of(3, 30), 100 * kSecond);
  Result<MemoryDiff> diff = memory_diff(before, after, {});
  ASSERT_TRUE(diff) << diff.error().what;
  EXPECT_EQ(diff->relation, DiffRelation::kOneProcess);
  EXPECT_DOUBLE_EQ(diff->change(diff->totals.at(0)), 0) << "10 KB a second in both";
  EXPECT_THAT(diff->notes.front(), HasSubstr("both recordings are of app (42), so rates are compared"));
  after = later(window_of(3, 60), 100 * kSecond);
  Result<MemoryDiff> faster = memory_diff(before, after, {});
  EXPECT_DOUBLE_EQ(faster->change(faster->totals.at(0)), 20 * 60'000 - 10 * 60'000) << "bytes a minute";
}

TEST(MemoryDiff, TwoRunsAreComparedByWhatTheyRetain) {
  Recording before = window_of(6, 60), after = later(window_of(3, 30), 100 * kSecond);
  after.processes[0].pid = 43;
  Result<MemoryDiff> diff = memory_diff(before, after, {});
  EXPECT_EQ(diff->relation, DiffRelation::kTwoRuns);
  EXPECT_DOUBLE_EQ(diff->change(diff->totals.at(0)), -30'000);
  EXPECT_THAT(diff->notes.front(), HasSubstr("different lengths, 6.0 s and 3.0 s"));
  after.processes[0].pid = 42;
  after.info.start_monotonic_ns += 3600 * kSecond;  // another boot, in which the number was given again
  EXPECT_EQ(memory_diff(before, after, {})->relation, DiffRelation::kTwoRuns);
}

TEST(MemoryDiff, SaysThatProgramsDiffer) {
  Recording after = today();
  after.processes[0].name = "other";
  Result<MemoryDiff> diff = memory_diff(yesterday(), after, {});
  EXPECT_EQ(diff->relation, DiffRelation::kDifferentPrograms);
  EXPECT_THAT(diff->notes.front(), HasSubstr("different programs: app (41) and other (42)"));
}

// Programs give themselves other names, as workers and servers of databases do.
TEST(MemoryDiff, AProcessThatRenamedItselfIsTheSameOne) {
  Recording after = later(window_of(3, 30), 100 * kSecond);
  after.processes[0].name = "app: idle";
  EXPECT_EQ(memory_diff(window_of(6, 60), after, {})->relation, DiffRelation::kOneProcess);
}

TEST(MemoryDiff, OverlappingWindowsOfOneProcessAreComparedByRateToo) {
  EXPECT_EQ(memory_diff(window_of(6, 60), later(window_of(3, 30), kSecond), {})->relation, DiffRelation::kOneProcess);
}

}  // namespace
}  // namespace dwell
