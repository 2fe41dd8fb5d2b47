// SPDX-License-Identifier: Apache-2.0
// Blocked time and wakers: written, read back, and reported.
#include "userspace/threads/blocked.h"

#include <gtest/gtest.h>

#include "sample_look.h"
#include "userspace/threads/blocked_text.h"
#include "userspace/base/cursor.h"
#include "userspace/recording/codec.h"
#include "userspace/threads/part.h"
#include "userspace/threads/codec.h"

namespace dwell {
namespace {

constexpr ThreadSite kWaits{0, StackId{1}}, kWakes{0, StackId{2}};

BlockedSites sample() {
  BlockedSites blocked{5000, {{kWaits, 900, 10}, {kWakes, 100, 1}}, {}};
  blocked.wakes = {{0, {WakerKind::kThread, kWakes, 0, ""}, 500, 6},
                   {0, {WakerKind::kOutside, {}, 4711, "redis-cli"}, 200, 2},
                   {0, {WakerKind::kInterrupt, {}, 0, ""}, 100, 1}};
  return blocked;
}

std::string decode(std::string_view bytes, Recording& recording) {
  Cursor in(bytes);
  return decode_blocked(in, recording);
}

TEST(Blocked, IsReadBackAsWritten) {
  Recording recording = sample_look_recording();
  EXPECT_EQ(decode(encode_blocked(sample()), recording), "");
  EXPECT_EQ(threads_of(recording).blocked, sample());
}

TEST(Blocked, WithoutWakersItIsOfAnEarlierVersion) {
  Recording recording = sample_look_recording();
  BlockedSites blocked = sample();
  blocked.wakes.clear();
  std::string bytes = encode_blocked(blocked);
  bytes.pop_back();  // their number
  EXPECT_EQ(decode(bytes, recording), "");
  EXPECT_EQ(threads_of(recording).blocked, blocked);
}

TEST(Blocked, DamagedBytesAreRefused) {
  Recording recording = sample_look_recording();
  BlockedSites without = sample();
  without.wakes.clear();
  std::string bytes = encode_blocked(sample());
  std::size_t earlier = encode_blocked(without).size() - 1;  // whole, for an earlier version
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_EQ(decode(std::string_view(bytes).substr(0, size), recording).empty(), size == earlier) << size;
  BlockedSites foreign = sample();
  foreign.wakes[0].blocked = 2;
  EXPECT_EQ(decode(encode_blocked(foreign), recording), "blocked site 2 of 2");
  foreign = sample();
  foreign.wakes[0].waker.site.stack = StackId{9};
  EXPECT_EQ(decode(encode_blocked(foreign), recording), "stack 9 of 3");
}

TEST(Blocked, AWakerOfALaterVersionIsOneThatIsNotKnown) {
  Recording recording = sample_look_recording();
  BlockedSites later = sample();
  later.wakes[0].waker.kind = static_cast<WakerKind>(77);
  EXPECT_EQ(decode(encode_blocked(later), recording), "");
  EXPECT_EQ(threads_of(recording).blocked.wakes[0].waker.kind, WakerKind::kUnknown);
}

TEST(Blocked, EachSiteTellsWhoWokeItAndWhoWasNeverWoken) {
  Recording recording = sample_look_recording();
  threads_of(recording).blocked = sample();
  std::vector<BlockedReport> report = blocked_report(recording);
  ASSERT_EQ(report.size(), 2u);
  ASSERT_EQ(report[0].wakers.size(), 3u);
  EXPECT_EQ(report[0].ended, 9u);
  EXPECT_EQ(report[0].wakers[0].kind, WakerKind::kThread);
  EXPECT_FALSE(report[0].wakers[0].stack.empty());
  EXPECT_EQ(report[0].wakers[1].words, "redis-cli (4711), another process");
  std::string text = blocked_text(report, {});
  EXPECT_NE(text.find("an interrupt: a timer or a device"), std::string::npos) << text;
  EXPECT_NE(text.find("nobody yet"), std::string::npos) << text;
  EXPECT_NE(text.find("never woken up"), std::string::npos) << text;
}

TEST(Blocked, TheProfileAddsUpToTheSitesWithAWakerEach) {
  Recording recording = sample_look_recording();
  threads_of(recording).blocked = sample();
  Profile profile = blocked_profile(recording);
  ASSERT_EQ(profile.samples.size(), 5u);
  std::int64_t waits = 0, ns = 0;
  for (const ProfileSample& sample : profile.samples) {
    waits += sample.values[0];
    ns += sample.values[1];
    EXPECT_EQ(sample.labels.at(0).key, "waker");
  }
  EXPECT_EQ(waits, 11);
  EXPECT_EQ(ns, 1000);
}

}  // namespace
}  // namespace dwell
