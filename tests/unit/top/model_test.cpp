// SPDX-License-Identifier: Apache-2.0
// From a recording to what `dwell top` shows.
#include "userspace/top/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/memory/story_recording.h"

namespace dwell::top {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t kBlock = 1 << 20;

// "grow" allocates a block a second, "steady" one and frees it.
Recording growing(std::uint64_t seconds, std::uint64_t mark_at = 0) {
  StoryRecording story;
  StackId grow = story.stack({"malloc@/lib/libc.so.6", "grow", "main"}), steady = story.stack({"malloc@/lib/libc.so.6", "steady", "main"});
  for (std::uint64_t i = 0; i < seconds; ++i) {
    story.at(i * kSecond + 1).alloc(0x1000 + i * 0x1000, kBlock, grow);
    story.alloc(0x900000, kBlock, steady);
    story.at(i * kSecond + kSecond / 2).free(0x900000);
    if (i + 1 < seconds) story.tick((i + 1) * kSecond);
    if (mark_at && i + 1 == mark_at) story.recording().marks.push_back({story.recording().start_ns() + mark_at * kSecond});
  }
  return story.end(seconds * kSecond);
}

Model model_of_recording(Recording recording, const ModelRequest& request = {}) {
  return model_of(std::make_shared<const Recording>(std::move(recording)), request);
}

const SiteRow* row(const Model& model, const std::string& name) {
  for (const SiteRow& one : model.rows)
    if (one.name.find(name) != std::string::npos) return &one;
  return nullptr;
}

TEST(TopModel, SaysWhatGrowsNow) {
  Model model = model_of_recording(growing(30));
  const SiteRow* grow = row(model, "grow");
  ASSERT_TRUE(grow);
  ASSERT_TRUE(grow->rate);
  EXPECT_NEAR(*grow->rate, 60.0 * kBlock, kBlock);
  EXPECT_EQ(grow->live, 30.0 * kBlock);
  EXPECT_EQ(model.live, 30.0 * kBlock);
  EXPECT_EQ(grow->curve.size(), model.moments_ns.size());
  EXPECT_FALSE(row(model, "steady")) << "nothing of it is live";
  EXPECT_EQ(model.process, "app (42)");
  EXPECT_THAT(grow->stack, testing::Contains(HasSubstr("src/main.cpp")));
}

TEST(TopModel, HasNoRateBeforeItCanBeTold) {
  Model model = model_of_recording(growing(3));
  ASSERT_TRUE(row(model, "grow"));
  EXPECT_FALSE(row(model, "grow")->rate);
}

// What grew long ago does not grow now.
TEST(TopModel, ForgetsGrowthThatIsOver) {
  StoryRecording story;
  StackId early = story.stack({"malloc@/lib/libc.so.6", "early", "main"});
  for (std::uint64_t i = 0; i < 200; ++i) {
    story.at(i * kSecond + 1);
    if (i < 100) story.alloc(0x1000 + i * 0x1000, kBlock, early);
    story.tick((i + 1) * kSecond);
  }
  Model model = model_of_recording(story.end(201 * kSecond));
  ASSERT_TRUE(row(model, "early"));
  EXPECT_EQ(row(model, "early")->rate, 0.0);
}

TEST(TopModel, CountsFromTheLastMark) {
  Model model = model_of_recording(growing(30, 20));
  ASSERT_EQ(model.marks_ns, std::vector<std::uint64_t>{20 * kSecond});
  ASSERT_TRUE(row(model, "grow")->since_mark);
  EXPECT_EQ(*row(model, "grow")->since_mark, 10.0 * kBlock);
}

TEST(TopModel, KeepsAKeyWhileTheRecordingGrows) {
  EXPECT_EQ(row(model_of_recording(growing(10)), "grow")->key, row(model_of_recording(growing(30)), "grow")->key);
}

TEST(TopModel, ShowsThoseThatHoldMostAndThoseThatGrowFastest) {
  StoryRecording story;
  StackId large = story.stack({"malloc@/lib/libc.so.6", "large", "main"}), small = story.stack({"malloc@/lib/libc.so.6", "small", "main"});
  StackId middle = story.stack({"malloc@/lib/libc.so.6", "middle", "main"});
  story.at(1).alloc(0x10, 100 * kBlock, large).alloc(0x20, 50 * kBlock, middle);
  for (std::uint64_t i = 0; i < 20; ++i) story.at(i * kSecond + 2).alloc(0x1000 + i * 0x100, kBlock / 16, small).tick((i + 1) * kSecond);
  Model model = model_of_recording(story.end(21 * kSecond), {.most_rows = 2});
  EXPECT_TRUE(row(model, "large"));
  EXPECT_TRUE(row(model, "small"));
  EXPECT_EQ(model.rest_sites, 1u);
  EXPECT_EQ(model.rest_live, 50.0 * kBlock);
}

TEST(TopModel, SaysWhatItCostsNow) {
  Recording recording = growing(30);
  std::uint64_t start_ns = recording.start_ns();
  // Dear at first, cheap since.
  for (std::uint64_t i = 1; i <= 30; ++i) recording.costs.push_back({start_ns + i * kSecond, 0, i < 10 ? i * kSecond / 2 : 9 * kSecond / 2, 0, i * kSecond, 0});
  Model model = model_of_recording(recording);
  ASSERT_TRUE(model.overhead);
  EXPECT_EQ(*model.overhead, 0);
}

TEST(TopModel, SaysWhatIsMissing) {
  Recording recording = growing(5);
  recording.losses.push_back({recording.start_ns() + kSecond, LossKind::kAlloc, 12});
  EXPECT_THAT(model_of_recording(recording).lost, HasSubstr("12 events lost"));
  recording.unseen.push_back({0, "memory", "malloc in \x1b[2J", "no room"});
  EXPECT_THAT(model_of_recording(recording).lost, HasSubstr("not seen: malloc in \\x1b[2J"));
}

TEST(TopModel, OfNothingIsWhole) {
  StoryRecording story;
  Model model = model_of_recording(story.recording());
  EXPECT_TRUE(model.rows.empty());
  EXPECT_TRUE(model.state.empty());
}

}  // namespace
}  // namespace dwell::top
