// SPDX-License-Identifier: Apache-2.0
// Pairs in a recording: how they lie there, and how they are told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/memory/story_recording.h"
#include "userspace/base/cursor.h"
#include "userspace/pairs/codec.h"
#include "userspace/pairs/report.h"
#include "userspace/pairs/text.h"

namespace dwell::pairs {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::uint64_t kBegin = 5000 * kSecond;

// A minute: of 1001 taken each second at forget() one is kept; a cache of 40 at keep() is filled at once.
Recording leaking_pool() {
  StoryRecording story;
  StackId forget = story.stack({"pool_get", "forget", "main"}), keep = story.stack({"pool_get", "keep", "main"});
  Recording recording = story.end(60 * kSecond);
  PairsPart& part = pairs_of(recording);
  part.pairs = {{"conn", "pool_get:pool_put", true, {"pool_get in /bin/app"}, {"pool_put in /bin/app"}}};
  HoldSite forgets{0, 0, forget}, keeps{0, 0, keep};
  for (std::uint64_t second = 0; second < 60; ++second) {
    HoldTick tick{kBegin + second * kSecond,
                  kBegin + (second + 1) * kSecond,
                  {{forgets, 1001, 1000, 2002, 2000, second + 2, {{20, 1000}}, 700'000'000}},
                  {{0, 0, 0, second + 42, kBegin + second * kSecond}}};
    if (second == 0) tick.changes.push_back({keeps, 40, 0, 4000, 0, 40, {}});
    if (second == 1) tick.pairs[0].unknown = 7;
    part.ticks.push_back(tick);
    part.held.holds.push_back({forgets, 0x1000 + second, kBegin + second * kSecond + 5, 2, 9});
  }
  for (std::uint64_t i = 0; i < 40; ++i) part.held.holds.push_back({keeps, 0x9000 + i, kBegin + 5, 100, 9});
  part.held.time_ns = kBegin + 60 * kSecond;
  return recording;
}

TEST(PairReport, TellsTheLeakAndNotTheCache) {
  Recording recording = leaking_pool();
  PairReport report = pair_report(recording);
  ASSERT_EQ(report.rows.size(), 2u);
  const HoldRow& leak = report.rows[0];
  EXPECT_TRUE(leak.leak);
  EXPECT_FALSE(report.rows[1].leak);
  EXPECT_EQ(leak.function, "pool_get");
  EXPECT_EQ(leak.caller.front().function, "forget");
  EXPECT_EQ(leak.held(), 60u);
  EXPECT_EQ(leak.held_size(), 120u);
  EXPECT_NEAR(*leak.growth_per_minute, 60, 1);
  EXPECT_EQ(leak.peak, 61u);
  EXPECT_EQ(leak.values.size(), 20u);
  EXPECT_EQ(leak.values.front(), 0x1000u);
  const PairTotals& totals = report.totals.at(0);
  EXPECT_EQ(totals.held(), 100u);
  EXPECT_EQ(totals.unknown, 7u);
  EXPECT_EQ(totals.peak, 101u);
  EXPECT_EQ(totals.peak_after_ns, 59 * kSecond);
}

TEST(PairReport, InWords) {
  Recording recording = leaking_pool();
  PairReport report = pair_report(recording);
  SectionStyle how;
  how.style.columns = 140;
  std::string text = pairs_text(report, how);
  EXPECT_THAT(text, AllOf(HasSubstr("conn: 100 held now, 60,100 taken and 60,000 given back"), HasSubstr("in size, 4,120 of 124,120 are held"),
                          HasSubstr("7 more were given back that nobody was seen to take")));
  EXPECT_THAT(text, AllOf(HasSubstr("conn leaks: "), HasSubstr("forget"), Not(HasSubstr("taken at keep"))));
  EXPECT_THAT(pair_sentences(report).at(0), HasSubstr("conn leaks"));
  EXPECT_EQ(pairs_json(report)["sites"][0]["leak"]["staying"], 58) << "not the youngest, which may be in use";
}

// None of those given back was taken: the user named another value than he meant.
TEST(PairReport, SaysThatAnotherValueIsMeant) {
  Recording recording = leaking_pool();
  for (HoldTick& tick : pairs_of(recording).ticks)
    for (HoldChange& change : tick.changes) change.given = 0;
  EXPECT_THAT(pairs_text(pair_report(recording), {}), HasSubstr("say which value it is, as conn=FUNCTION(arg1)"));
}

TEST(PairChunks, AreReadAsTheyWereWritten) {
  Recording recording = leaking_pool(), again = recording;
  const PairsPart& part = pairs_of(recording);
  pairs_of(again) = {};
  auto read = [&](const std::string& bytes, auto decode) {
    Cursor in{std::string_view(bytes)};
    EXPECT_EQ(decode(in, again), "");
  };
  read(encode_pairs(part.pairs), decode_pairs);
  for (const HoldTick& tick : part.ticks) read(encode_hold_tick(tick), decode_hold_tick);
  read(encode_held(part.held), decode_held);
  EXPECT_EQ(pairs_of(again).pairs, part.pairs);
  EXPECT_EQ(pairs_of(again).ticks, part.ticks);
  EXPECT_EQ(pairs_of(again).held, part.held);
}

TEST(PairChunks, ThatNameWhatIsNotThereAreRefused) {
  Recording recording = leaking_pool();
  auto wrong = [&](const std::string& bytes, auto decode) {
    Cursor in{std::string_view(bytes)};
    return decode(in, recording);
  };
  EXPECT_THAT(wrong(encode_held({1, {{{9, 0, StackId{0}}, 1, 1, 0, 0}}}), decode_held), HasSubstr("process 9"));
  EXPECT_THAT(wrong(encode_held({1, {{{0, 1, StackId{0}}, 1, 1, 0, 0}}}), decode_held), HasSubstr("pair 1 of 1"));
  EXPECT_THAT(wrong(encode_held({1, {{{0, 0, StackId{99}}, 1, 1, 0, 0}}}), decode_held), HasSubstr("stack 99"));
  EXPECT_THAT(wrong(encode_hold_tick({1, 2, {}, {{0, 3, 0, 0, 0}}}), decode_hold_tick), HasSubstr("pair 3"));
  EXPECT_THAT(wrong(encode_pairs({}), decode_pairs), HasSubstr("fewer pairs"));
  std::string cut = encode_held({1, {{{0, 0, StackId{0}}, 1, 1, 0, 0}}});
  cut.pop_back();
  EXPECT_NE(wrong(cut, decode_held), "");
}

}  // namespace
}  // namespace dwell::pairs
