// SPDX-License-Identifier: Apache-2.0
// What marks divide: which generation of memory is still there.
#include "userspace/memory/generations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/memory/story_recording.h"
#include "tests/unit/ui/golden.h"

namespace dwell {
namespace {

using testing::HasSubstr;

// "table" is made at the start; each second a "request" is made, and freed but for one a generation.
Recording served() {
  StoryRecording story;
  StackId table = story.stack({"malloc@/lib/libc.so.6", "make_table", "main"}), request = story.stack({"malloc@/lib/libc.so.6", "serve", "main"});
  std::uint64_t start_ns = story.recording().start_ns();
  story.at(1).alloc(0x10, 1 << 20, table);
  for (std::uint64_t i = 0; i < 30; ++i) {
    story.at(i * kSecond + 10).alloc(0x1000 + i * 0x10, 4096, request);
    if (i % 10 != 5) story.at(i * kSecond + 20).free(0x1000 + i * 0x10);
    if (i < 29) story.tick((i + 1) * kSecond);
    if (i == 9 || i == 19) story.recording().marks.push_back({start_ns + (i + 1) * kSecond});
  }
  return story.end(30 * kSecond);
}

TEST(Generations, SayWhatOfEachIsStillThere) {
  Generations generations = generations_of(served());
  EXPECT_EQ(generations.not_known, "");
  ASSERT_EQ(generations.all.size(), 3u);
  EXPECT_EQ(generations.all[0].retained_bytes, (1 << 20) + 4096);
  EXPECT_EQ(generations.all[0].allocations, 11);
  EXPECT_EQ(generations.all[1].retained_bytes, 4096);
  EXPECT_EQ(generations.all[1].retained_blocks, 1);
  EXPECT_EQ(generations.all[1].allocated_bytes, 10 * 4096);
  EXPECT_EQ(generations.all[2].retained_bytes, 4096);
  EXPECT_EQ(generations.all[1].from_ns, 10 * kSecond);
  EXPECT_EQ(generations.all[1].to_ns, 20 * kSecond);
  ASSERT_EQ(generations.all[0].sites.size(), 2u);
  EXPECT_EQ(generations.all[0].sites[0].bytes, 1 << 20) << "the largest first";
}

TEST(Generations, AreNoneWithoutMarks) {
  Recording recording = served();
  recording.marks.clear();
  EXPECT_TRUE(generations_of(recording).all.empty());
  EXPECT_EQ(generations_text(generations_of(recording), {}), "");
}

TEST(Generations, OfARecordingThatWasCutOffAreNotGuessed) {
  Recording recording = served();
  recording.ended = false;
  recording.end = {};
  memory_of(recording).live = {};
  Generations generations = generations_of(recording);
  EXPECT_THAT(generations.not_known, HasSubstr("cut off"));
  EXPECT_EQ(generations.all[1].retained_bytes, 0);
  EXPECT_EQ(generations.all[1].allocated_bytes, 10 * 4096);
  EXPECT_TRUE(generations_json(generations)[1]["retained_bytes"].is_null());
  EXPECT_THAT(generations_text(generations, {.columns = 80}), HasSubstr("not known"));
}

TEST(Generations, OfASampledRecordingAreScaled) {
  StoryRecording story(1 << 20);
  StackId request = story.stack({"malloc@/lib/libc.so.6", "serve", "main"});
  story.at(1).alloc(0x10, 1024, request).tick(kSecond);
  story.recording().marks.push_back({story.recording().start_ns() + kSecond});
  Generations generations = generations_of(story.end(2 * kSecond));
  EXPECT_NEAR(generations.all[0].retained_bytes, 1 << 20, 1024);
}

TEST(Generations, KeepTheirOrderWhateverAFileSays) {
  Recording recording = served();
  std::uint64_t start_ns = recording.start_ns();
  recording.marks = {{start_ns + 20 * kSecond}, {start_ns + 10 * kSecond}, {0}, {start_ns + 1000 * kSecond}};
  double retained = 0;
  for (const Generation& one : generations_of(recording).all) retained += one.retained_bytes;
  EXPECT_EQ(retained, (1 << 20) + 3 * 4096);
}

TEST(Generations, AsText) {
  Generations generations = generations_of(served());
  expect_golden("generations_80.txt", generations_text(generations, {.columns = 80}));
  expect_golden("generations_140.txt", generations_text(generations, {.columns = 140}));
}

}  // namespace
}  // namespace dwell
