// SPDX-License-Identifier: Apache-2.0
// Memory by the call site that touched it, in a recording: how it lies there, and how it is told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/memory/story_recording.h"
#include "userspace/memory/touched/codec.h"
#include "userspace/memory/touched/report.h"
#include "userspace/memory/touched/text.h"

namespace dwell::memory {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::uint64_t kMB = 1 << 20, kStart = 5000 * kSecond;

std::string decoded(const std::string& bytes, Recording& into) {
  Cursor in{std::string_view(bytes)};
  return decode_touched(in, into);
}

// 24 MB of anonymous memory at grow(), 8 MB of a heap at keep(), and what pass() touched is gone.
Recording grown(std::uint64_t weight = 1) {
  StoryRecording story;
  StackId grow = story.stack({"memset@libc.so.6", "grow", "main"}), keep = story.stack({"keep", "main"}), pass = story.stack({"pass", "main"});
  StackId same = story.stack({"memset@libc.so.6", "grow", "main"}, 1);
  Recording recording = story.end(10 * kSecond);
  TouchedMemory touched{kStart + 10 * kSecond, weight, {}, {}};
  touched.sites = {{grow, TouchedKind::kAnonymous, 5000, 20 * kMB, 20 * kMB, weight > 1 ? kMB : 0},
                   {same, TouchedKind::kAnonymous, 1144, 4 * kMB, 4 * kMB, 0},
                   {keep, TouchedKind::kHeap, 2048, 8 * kMB, 2 * kMB, 0},
                   {pass, TouchedKind::kKinds, 77, 0, 0, 0}};
  memory_of(recording).touched = {touched};
  return recording;
}

std::string section(const Recording& recording) { return touched_text(recording, touched_reports(recording), {}); }

TEST(TouchedMemory, LiesInARecordingAsItWas) {
  Recording recording = grown(), read = grown();
  TouchedMemory touched = memory_of(recording).touched[0];
  touched.unseen[1] = 5 * 4096;
  memory_of(read).touched.clear();
  read.processes.resize(2);
  EXPECT_EQ(decoded(encode_touched(1, touched), read), "");
  ASSERT_EQ(memory_of(read).touched.size(), 2u);
  EXPECT_EQ(memory_of(read).touched[1], touched);
  touched.sites.pop_back();
  EXPECT_EQ(decoded(encode_touched(1, touched), read), "");
  EXPECT_EQ(memory_of(read).touched[1], touched);
}

TEST(TouchedMemory, IsRefusedWhereItContradictsTheRecording) {
  Recording recording = grown();
  const TouchedMemory touched = memory_of(recording).touched[0];
  EXPECT_THAT(decoded(encode_touched(3, touched), recording), HasSubstr("process"));
  TouchedMemory elsewhere = touched, impossible = touched;
  elsewhere.sites[0].stack = StackId{999};
  EXPECT_THAT(decoded(encode_touched(0, elsewhere), recording), HasSubstr("stack 999"));
  impossible.sites[0].resident = ~std::uint64_t{0};
  EXPECT_THAT(decoded(encode_touched(0, impossible), recording), HasSubstr("impossible"));
  std::string whole = encode_touched(0, touched);
  for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_NE(decoded(whole.substr(0, size), recording), "") << size;
}

TEST(TouchedMemory, OfAKindThatIsNotKnownIsAnonymous) {
  Recording recording = grown();
  TouchedMemory touched = memory_of(recording).touched[0];
  touched.sites.resize(1);
  touched.sites[0].kind = static_cast<TouchedKind>(77);
  EXPECT_EQ(decoded(encode_touched(0, touched), recording), "");
  EXPECT_EQ(memory_of(recording).touched[0].sites[0].kind, TouchedKind::kAnonymous);
}

TEST(TouchedMemory, OfStacksThatReadTheSameIsOneSite) {
  std::vector<TouchedReport> reports = touched_reports(grown());
  ASSERT_EQ(reports.size(), 1u);
  ASSERT_EQ(reports[0].rows.size(), 3u);
  EXPECT_EQ(reports[0].rows[0].grown, 24 * kMB);
  EXPECT_EQ(reports[0].rows[0].faults, 6144u);
  EXPECT_EQ(reports[0].resident, 32 * kMB);
  EXPECT_EQ(reports[0].grown, 26 * kMB);
  EXPECT_EQ(reports[0].faults, 8269u);
}

TEST(TouchedMemory, IsToldByCallSiteAndKind) {
  std::string text = section(grown());
  EXPECT_THAT(text, HasSubstr("Memory by where it was touched first"));
  EXPECT_THAT(text, HasSubstr("32.0 MB of memory are resident that were touched in this recording (8,269 page faults), 26.0 MB of them"));
  EXPECT_THAT(text, HasSubstr("anonymous mappings  grow"));
  EXPECT_THAT(text, HasSubstr("given back  pass"));
  EXPECT_THAT(text, Not(HasSubstr("Estimated")));
}

TEST(TouchedMemory, OfOnePageInManyIsToldAsAnEstimate) {
  std::string text = section(grown(64));
  EXPECT_THAT(text, HasSubstr("one page in 64 was followed"));
  EXPECT_THAT(text, HasSubstr("24.0 MB ±5 %"));
}

TEST(TouchedMemory, ThatWasNeverLookedAtIsNotSaidToBeThere) {
  Recording recording = grown();
  memory_of(recording).touched[0].time_ns = 0;
  EXPECT_THAT(section(recording), HasSubstr("8,269 page faults; what of that is still in memory is not known."));
}

TEST(TouchedMemory, ThatCameWithoutAFaultIsSaid) {
  Recording recording = grown();
  EXPECT_THAT(section(recording), Not(HasSubstr("without a page fault")));
  memory_of(recording).touched[0].unseen[0] = 3 * kMB;
  EXPECT_THAT(section(recording), HasSubstr("3.0 MB more came without a page fault that was seen"));
}

TEST(TouchedMemory, NamesWhoMadeTheProcessGrowOutsideOfHeaps) {
  TouchedReport report = touched_reports(grown())[0];
  std::string sentence = touched_sentence(report, 26 * static_cast<std::int64_t>(kMB));
  EXPECT_THAT(sentence, HasSubstr("24.0 MB of it are outside of allocators' heaps: 24.0 MB of anonymous mappings touched first at grow"));
  EXPECT_EQ(touched_sentence(report, 0), "");                                       // it did not grow
  EXPECT_EQ(touched_sentence(report, 500 * static_cast<std::int64_t>(kMB)), "");    // that is not what it grew by
}

TEST(TouchedMemory, IsAProfileWithTheKindAtItsRoot) {
  Recording recording = grown();
  Result<Profile> profile = touched_profile(recording, {});
  ASSERT_TRUE(profile);
  ASSERT_EQ(profile->samples.size(), 4u);
  const ProfileSample& first = profile->samples[0];
  EXPECT_EQ(first.values, (std::vector<std::int64_t>{5000, 20 * static_cast<std::int64_t>(kMB)}));
  EXPECT_EQ(profile->locations[first.stack.back()].lines[0].function, "[anonymous mappings]");
  EXPECT_EQ(first.labels[0].text, "anonymous mappings");
}

TEST(TouchedMemory, IsNotToldOfARecordingThatHasNone) {
  EXPECT_FALSE(follows_touched(Recording()));
  EXPECT_TRUE(follows_touched(grown()));
}

}  // namespace
}  // namespace dwell::memory
