// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <map>

#include "story_recording.h"
#include "userspace/memory/view.h"

namespace dwell {
namespace {

using Values = std::vector<std::int64_t>;

Profile profile_of(const Recording& recording, MemoryView view, const MemoryFilter& filter = {}) {
  Result<Profile> profile = memory_profile(recording, view, filter);
  EXPECT_TRUE(profile) << profile.error().what;
  return *profile;
}

// By the function at the leaf.
std::map<std::string, Values> by_leaf(const Profile& profile) {
  std::map<std::string, Values> result;
  for (const ProfileSample& sample : profile.samples) {
    EXPECT_EQ(sample.values.size(), profile.sample_types.size());
    result[profile.locations[sample.stack.front()].lines.front().function] = sample.values;
  }
  return result;
}

// In the first second keep() takes 100 and 50, in the second it takes 30 more; pass() has 700 for a moment of the
// second second; early() frees in the second second what it took in the first.
Recording two_seconds() {
  StoryRecording story;
  StackId keep = story.stack({"keep", "main"}), pass = story.stack({"pass", "main"}), early = story.stack({"early", "main"});
  story.at(1000).alloc(0x10, 100, keep).alloc(0x20, 50, keep).alloc(0x30, 20, early).tick(kSecond);
  story.at(kSecond + 1000).alloc(0x40, 700, pass).at(kSecond + 2000).free(0x40).alloc(0x50, 30, keep);
  story.at(2 * kSecond - 5).free(0x30);
  return story.end(2 * kSecond);
}

TEST(MemoryProfile, RetainedIsWhatIsThereAtTheEnd) {
  Profile profile = profile_of(two_seconds(), MemoryView::kRetained);
  EXPECT_EQ(by_leaf(profile), (std::map<std::string, Values>{{"keep", {3, 180}}}));
  EXPECT_EQ(profile.sample_types[1].type, "inuse_space");
  EXPECT_EQ(profile.default_sample_type, 1u);
  EXPECT_EQ(profile.title, "retained memory (heap) of app (42)");
}

TEST(MemoryProfile, GrowingIsTheEndLessTheStart) {
  MemoryFilter second_second;
  second_second.from_ns = kSecond;
  EXPECT_EQ(by_leaf(profile_of(two_seconds(), MemoryView::kGrowing, second_second)),
            (std::map<std::string, Values>{{"keep", {1, 30}}, {"early", {-1, -20}}}));
}

TEST(MemoryProfile, AllocatedCountsWhatIsGoneToo) {
  EXPECT_EQ(by_leaf(profile_of(two_seconds(), MemoryView::kAllocated)),
            (std::map<std::string, Values>{{"keep", {3, 180}}, {"early", {1, 20}}, {"pass", {1, 700}}}));
}

TEST(MemoryProfile, TemporaryIsWhatWasFreedYoung) {
  EXPECT_EQ(by_leaf(profile_of(two_seconds(), MemoryView::kTemporary)), (std::map<std::string, Values>{{"pass", {1, 700}}}));
  MemoryFilter patient;
  patient.temporary_ns = 4 * kSecond;
  EXPECT_EQ(by_leaf(profile_of(two_seconds(), MemoryView::kTemporary, patient)).size(), 2u);
}

TEST(MemoryProfile, PeakIsWhatWasThereAtTheHighestPoint) {
  EXPECT_EQ(by_leaf(profile_of(two_seconds(), MemoryView::kPeak)),
            (std::map<std::string, Values>{{"keep", {2, 150}}, {"early", {1, 20}}, {"pass", {1, 700}}}));
}

TEST(MemoryProfile, TheProgramStandsBeforeItsLibraries) {
  StoryRecording story;
  StackId stack = story.stack({"strdup@/usr/lib/libc.so.6", "main@/usr/bin/app"});
  story.at(1000).alloc(0x10, 100, stack);
  Profile profile = profile_of(story.end(kSecond), MemoryView::kRetained);
  ASSERT_EQ(profile.mappings.size(), 2u);
  EXPECT_EQ(profile.mappings[0].path, "/usr/bin/app");
}

TEST(MemoryProfile, AProgramBehindALinkStandsBeforeItsLibrariesToo) {
  StoryRecording story;
  StackId stack = story.stack({"strdup@/usr/lib/libc.so.6", "main@/usr/bin/other-name"});
  story.at(1000).alloc(0x10, 100, stack);
  EXPECT_EQ(profile_of(story.end(kSecond), MemoryView::kRetained).mappings[0].path, "/usr/bin/other-name");
}

TEST(MemoryProfile, AllHasTheFourTypesOfPprof) {
  Profile profile = profile_of(two_seconds(), MemoryView::kAll);
  std::vector<std::string> types;
  for (const ProfileValueType& type : profile.sample_types) types.push_back(type.type);
  EXPECT_EQ(types, (std::vector<std::string>{"alloc_objects", "alloc_space", "inuse_objects", "inuse_space"}));
  EXPECT_EQ(by_leaf(profile)["pass"], (Values{1, 700, 0, 0}));
  EXPECT_EQ(by_leaf(profile)["keep"], (Values{3, 180, 3, 180}));
}

TEST(MemoryProfile, IsOfOneKindAndNeverAddsThemUp) {
  StoryRecording story;
  StackId f = story.stack({"f"});
  story.alloc(0x10, 10, f).map(0x100000, 4096, f);
  Recording recording = story.end(kSecond);
  EXPECT_EQ(by_leaf(profile_of(recording, MemoryView::kRetained)), (std::map<std::string, Values>{{"f", {1, 10}}}));
  MemoryFilter mapping;
  mapping.kind = MemoryKind::kMapping;
  Profile other = profile_of(recording, MemoryView::kRetained, mapping);
  EXPECT_EQ(by_leaf(other), (std::map<std::string, Values>{{"f", {1, 4096}}}));
  EXPECT_EQ(other.title, "retained memory (mapping) of app (42)");
  StoryRecording without_heap;
  without_heap.map(0x100000, 4096, without_heap.stack({"f"}));
  EXPECT_EQ(profile_of(without_heap.end(kSecond), MemoryView::kRetained).samples.size(), 1u) << "the kind that there is";
}

TEST(MemoryProfile, MappingsDoNotOverlapAndHoldTheirLocations) {
  StoryRecording story;
  story.alloc(0x10, 10, story.stack({"f@/lib/a.so", "g@/lib/b.so", "?@/lib/c.so", "main"}));
  Profile profile = profile_of(story.end(kSecond), MemoryView::kRetained);
  ASSERT_EQ(profile.mappings.size(), 4u);
  for (std::size_t i = 1; i < profile.mappings.size(); ++i) EXPECT_GE(profile.mappings[i].start, profile.mappings[i - 1].limit);
  for (const ProfileLocation& location : profile.locations) {
    const ProfileMapping& mapping = profile.mappings[static_cast<std::size_t>(location.mapping)];
    EXPECT_GE(location.address, mapping.start);
    EXPECT_LT(location.address, mapping.limit);
  }
  EXPECT_TRUE(profile.mappings[1].has_functions);
  EXPECT_FALSE(profile.mappings[3].has_functions) << "a tool may still look for the names of c.so";
  EXPECT_EQ(profile.mappings[1].build_id, "abcd");
}

TEST(MemoryProfile, AStackThatEndsEarlySaysSoAtItsRoot) {
  StoryRecording story;
  story.alloc(0x10, 10, story.stack({"f"}, 5)).alloc(0x20, 10, StackId::kUnknown);
  Profile profile = profile_of(story.end(kSecond), MemoryView::kRetained);
  ASSERT_EQ(profile.samples.size(), 2u);
  EXPECT_EQ(profile.locations[profile.samples[0].stack.back()].lines[0].function, "[incomplete: the stack could not be read]");
  EXPECT_EQ(profile.locations[profile.samples[1].stack.back()].lines[0].function, "[unknown]");
}

TEST(MemoryProfile, OfASingleThreadOnlyTheRetainedViewIsKnown) {
  MemoryFilter filter;
  filter.thread = 42;
  EXPECT_EQ(by_leaf(profile_of(two_seconds(), MemoryView::kRetained, filter)).size(), 1u);
  Result<Profile> refused = memory_profile(two_seconds(), MemoryView::kPeak, filter);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().exit, Exit::kUsage);
}

TEST(MemoryProfile, ViewsKindsAndKeysHaveNames) {
  for (const char* name : {"retained", "growing", "allocated", "temporary", "peak", "all"}) {
    ASSERT_TRUE(memory_view_named(name)) << name;
    EXPECT_EQ(name_of(*memory_view_named(name)), name);
  }
  for (const char* name : {"heap", "mapping", "file", "reserved"}) EXPECT_EQ(name_of(*memory_kind_named(name)), name);
  EXPECT_FALSE(memory_view_named("leaks"));
}

}  // namespace
}  // namespace dwell
