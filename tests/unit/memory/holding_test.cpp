// SPDX-License-Identifier: Apache-2.0
// What holds the blocks of a call site: how it lies in a recording, and what a report says of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "tests/unit/memory/story_recording.h"
#include "userspace/memory/holding_codec.h"
#include "userspace/memory/report.h"
#include "userspace/memory/text.h"

namespace dwell {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// Ten blocks of 100 bytes each are lost and cached; they are series 0 and 1.
Recording lost_and_cached() {
  StoryRecording story;
  StackId lost = story.stack({"malloc@libc.so.6", "lose", "main"}), cached = story.stack({"malloc@libc.so.6", "cache", "main"});
  for (std::uint64_t i = 0; i < 10; ++i) {
    story.at(kSecond / 2 * (i + 1));
    story.alloc(0x1000 + 0x100 * i, 100, lost).alloc(0x9000 + 0x100 * i, 100, cached);
  }
  return story.end(10 * kSecond);
}

Holding half_is_leaked() {
  Holding holding{20 * kSecond, 3, "", 5000, 1 << 20, 9, 900, {"sessions", "stack of thread app (42)"}, {}};
  holding.rows = {{0, 1000, 900, 10, 9, {{1, 100}}}, {1, 1000, 0, 10, 0, {{0, 1000}}}};
  return holding;
}

TEST(Holding, LiesInARecordingAsItWas) {
  Recording recording = lost_and_cached();
  std::string bytes = encode_holding(0, half_is_leaked());
  Cursor in{std::string_view(bytes)};
  ASSERT_EQ(decode_holding(in, recording), "");
  EXPECT_TRUE(in.at_end());
  EXPECT_EQ(memory_of(recording).holding[0], half_is_leaked());
}

TEST(Holding, ThatMakesNoSenseIsRefused) {
  auto refused = [](std::uint64_t process, const Holding& holding) {
    Recording recording = lost_and_cached();
    std::string bytes = encode_holding(static_cast<ProcessSlot>(process), holding);
    Cursor in{std::string_view(bytes)};
    return decode_holding(in, recording);
  };
  Holding unknown_series = half_is_leaked(), unknown_holder = half_is_leaked(), too_much = half_is_leaked();
  unknown_series.rows[1].series = 99;
  unknown_holder.rows[0].by[0].holder = 2;
  too_much.rows[0].lost_bytes = 1001;
  EXPECT_THAT(refused(0, half_is_leaked()), IsEmpty());
  EXPECT_THAT(refused(7, half_is_leaked()), HasSubstr("process"));
  EXPECT_THAT(refused(0, unknown_series), HasSubstr("series"));
  EXPECT_THAT(refused(0, unknown_holder), HasSubstr("holder"));
  EXPECT_THAT(refused(0, too_much), HasSubstr("loses more"));
}

MemoryReport report_of(const Holding& holding) {
  Recording recording = lost_and_cached();
  memory_of(recording).holding = {holding};
  Result<MemoryReport> report = memory_report(std::move(recording), {});
  EXPECT_TRUE(report) << report.error().what;
  return std::move(*report);
}

const SiteReport& site_in(const MemoryReport& report, const std::string& function) {
  for (const SiteReport& site : report.sites)
    for (const ReportFrame& frame : std::vector<ReportFrame>(site.stack))
      if (frame.function == function) return site;
  return report.sites.front();
}

TEST(Holding, IsToldByCallSite) {
  MemoryReport report = report_of(half_is_leaked());
  EXPECT_DOUBLE_EQ(site_in(report, "lose").holding->lost_share, 0.9);
  EXPECT_EQ(site_in(report, "cache").holding->by[0].first, "sessions");
  EXPECT_DOUBLE_EQ(report.totals[0].leaked_bytes, 900);
  std::string text = memory_text(report, {});
  EXPECT_THAT(text, HasSubstr("900 B are leaked: nothing leads there any more."));
  EXPECT_THAT(text, HasSubstr("nothing: 90.0 % leaked"));
  EXPECT_THAT(text, HasSubstr("reached from sessions (100.0 %)"));
}

TEST(Holding, ThatIsNotSettledSaysWhyAndNothingElse) {
  Holding unsettled = half_is_leaked();
  unsettled.unsettled = "3 pages are in swap, and what they hold cannot be told";
  MemoryReport report = report_of(unsettled);
  for (const SiteReport& site : report.sites) EXPECT_FALSE(site.holding);
  std::string text = memory_text(report, {});
  EXPECT_THAT(text, HasSubstr("what holds the blocks is not known: 3 pages are in swap"));
  EXPECT_THAT(text, Not(HasSubstr("leaked")));
}

TEST(Holding, OfAnotherTimeThanTheEndIsNotTold) {
  Recording recording = lost_and_cached();
  memory_of(recording).holding = {half_is_leaked()};
  MemoryFilter filter;
  filter.to_ns = kSecond;
  Result<MemoryReport> report = memory_report(RecordingRef(recording), filter);
  ASSERT_TRUE(report) << report.error().what;
  for (const SiteReport& site : report->sites) EXPECT_FALSE(site.holding);
}

TEST(Holding, OfBlocksFromBeforeTheRecordingIsANote) {
  Holding older = half_is_leaked();
  older.lost_blocks = 3000, older.lost_bytes = 3 << 20;
  EXPECT_THAT(memory_text(report_of(older), {}), HasSubstr("3.0 MB in 3,000 blocks of the heap are leaked, most of it from before the recording; dwell memory 42 --leaks"));
  EXPECT_THAT(memory_text(report_of(half_is_leaked()), {}), Not(HasSubstr("from before the recording;")));
}

TEST(Holding, InACellNamesTheFirstAndCountsTheOthers) {
  EXPECT_EQ(holding_text(std::nullopt), "");
  EXPECT_EQ(holding_text(SiteHolding{0.99, {{"a", 0.01}}}), "nothing: leaked");
  EXPECT_EQ(holding_text(SiteHolding{0, {{"a", 0.96}, {"b", 0.04}}}), "a");
  EXPECT_EQ(holding_text(SiteHolding{0, {{"a", 0.6}, {"b", 0.4}}}), "a and 1 more");
  EXPECT_EQ(holding_sentence(SiteHolding{0.4, {{"a", 0.6}}}), "40.0 % leaked: nothing leads there any more; reached from a (60.0 %)");
}

}  // namespace
}  // namespace dwell
