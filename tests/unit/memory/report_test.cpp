// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/report.h"

#include <gmock/gmock.h>

#include <cmath>
#include <random>
#include <set>

#include "bpf/events.h"
#include "story_recording.h"

namespace dwell {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

MemoryReport report_of(RecordingRef recording, const MemoryFilter& filter = {}, SortKey sort = SortKey::kRetained,
                       GroupBy group = GroupBy::kStack) {
  Result<MemoryReport> report = memory_report(recording, filter, sort, group);
  EXPECT_TRUE(report) << report.error().what;
  return *report;
}

std::vector<std::string> leaves(const MemoryReport& report) {
  std::vector<std::string> names;
  for (const SiteReport& site : report.sites) names.push_back(site.stack.front().function);
  return names;
}

// cache() keeps 100 bytes more each second, load() keeps what it took at the start, parse() frees at once.
Recording service() {
  StoryRecording story;
  StackId cache = story.stack({"cache", "main"}), load = story.stack({"load", "main"}), parse = story.stack({"parse", "main"});
  story.at(kSecond / 2).alloc(0x10, 5000, load).map(0x100000, 8192, load);
  for (std::uint64_t second = 1; second <= 20; ++second) {
    story.at(second * kSecond - kSecond / 4).alloc(0x1000 * second, 100, cache, 43);
    story.alloc(0x20, 64, parse).at(second * kSecond - kSecond / 4 + 1000).free(0x20);
    if (second < 20) story.tick(second * kSecond);
  }
  return story.end(20 * kSecond);
}

TEST(MemoryReport, SitesAreSortedByWhatTheyRetain) {
  MemoryReport report = report_of(service());
  ASSERT_EQ(report.sites.size(), 4u);
  EXPECT_EQ(leaves(report), (std::vector<std::string>{"load", "load", "cache", "parse"}));
  EXPECT_EQ(report.sites[0].kind, MemoryKind::kMapping);
  EXPECT_EQ(report.sites[1].figures.retained_bytes, 5000);
  EXPECT_EQ(report.sites[2].figures.retained_bytes, 2000);
  EXPECT_EQ(report.sites[2].figures.retained_blocks, 20);
  EXPECT_EQ(report.sites[3].figures.allocated_bytes, 20 * 64);
  EXPECT_EQ(report.sites[3].figures.temporary_share(), 1.0);
  EXPECT_EQ(report.sites[0].stack.frames()[1].function, "main");
  EXPECT_EQ(report.sites[0].stack.frames()[0].file, "src/load.cpp");
  EXPECT_EQ(report.sites[0].stack.frames()[0].module, "/usr/bin/app");
}

TEST(MemoryReport, GrowthIsToldPerMinute) {
  MemoryReport report = report_of(service(), {}, SortKey::kGrowth);
  EXPECT_EQ(leaves(report)[0], "cache");
  ASSERT_TRUE(report.sites[0].figures.growth_per_minute);
  EXPECT_NEAR(*report.sites[0].figures.growth_per_minute, 6000, 1);
  EXPECT_NEAR(*report.sites[1].figures.growth_per_minute, 0, 1);
  EXPECT_THAT(report.notes, Not(Contains(testing::StartsWith("too short to tell"))));
}

TEST(MemoryReport, AShortRecordingDoesNotClaimGrowth) {
  StoryRecording story;
  StackId cache = story.stack({"cache"});
  for (std::uint64_t tick = 1; tick < 20; ++tick) story.alloc(tick, 100, cache).tick(tick * kSecond / 10);
  MemoryReport report = report_of(story.end(2 * kSecond));
  EXPECT_FALSE(report.sites.at(0).figures.growth_per_minute);
  EXPECT_THAT(report.notes, Contains(testing::StartsWith("too short to tell how memory grows: that takes about 7 s")));
  EXPECT_EQ(report.totals.at(0).growth.shape, GrowthShape::kUnknown);
}

// Its rate is not known, so neither is the shape: one sentence does not contradict the next.
TEST(MemoryReport, FiveSecondsAreTooShortForAllThatIsSaidOfGrowth) {
  StoryRecording story;
  StackId cache = story.stack({"cache"});
  for (std::uint64_t tick = 1; tick <= 5; ++tick) story.alloc(tick, 100, cache).tick(tick * kSecond);
  MemoryReport report = report_of(story.end(5 * kSecond));
  EXPECT_EQ(report.totals.at(0).growth.shape, GrowthShape::kUnknown);
  EXPECT_FALSE(report.totals.at(0).figures.growth_per_minute);
  EXPECT_THAT(report.notes, Contains(testing::StartsWith("too short to tell")));
}

TEST(MemoryReport, AgesAreThoseOfTheBlocksThatAreThere) {
  MemoryReport report = report_of(service());
  const SiteReport& cache = report.sites[2];
  ASSERT_TRUE(cache.oldest_age_ns && cache.median_age_ns);
  EXPECT_EQ(*cache.oldest_age_ns, 20 * kSecond - 3 * kSecond / 4);
  EXPECT_NEAR(static_cast<double>(*cache.median_age_ns), 10.25 * kSecond, 0.6 * kSecond);
  EXPECT_FALSE(report.sites[3].oldest_age_ns) << "parse() retains nothing";
}

TEST(MemoryReport, ATimeRangeTellsWhatWasTrueThen) {
  MemoryFilter filter;
  filter.from_ns = 5 * kSecond;
  filter.to_ns = 10 * kSecond;
  MemoryReport report = report_of(service(), filter);
  EXPECT_EQ(report.from_ns, 5 * kSecond);
  EXPECT_EQ(report.to_ns, 10 * kSecond);
  const SiteReport& cache = report.sites.at(2);
  EXPECT_EQ(cache.figures.retained_bytes, 1000);
  EXPECT_EQ(cache.figures.allocated_bytes, 500);
  EXPECT_FALSE(cache.oldest_age_ns) << "the live blocks are those of the end";
}

TEST(MemoryReport, ARangeThatEndsBeforeItBeginsIsAUsageError) {
  MemoryFilter filter;
  filter.from_ns = 2;
  filter.to_ns = 1;
  Result<MemoryReport> report = memory_report(service(), filter);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().exit, Exit::kUsage);
}

TEST(MemoryReport, FiltersMoveWhatTheyTakeToTheLeftOut) {
  MemoryFilter filter;
  filter.site = "^ca.he$";
  MemoryReport report = report_of(service(), filter);
  EXPECT_EQ(leaves(report), (std::vector<std::string>{"cache"}));
  EXPECT_EQ(report.sites_left_out, 3u);
  ASSERT_EQ(report.totals.size(), 2u);
  EXPECT_EQ(report.totals[0].figures.retained_bytes, 7000);
  EXPECT_EQ(report.left_out.at(0).figures.retained_bytes, 5000);
  EXPECT_EQ(report.left_out.at(1).figures.retained_bytes, 8192);

  filter = {};
  filter.kind = MemoryKind::kMapping;
  report = report_of(service(), filter);
  EXPECT_EQ(report.sites.size(), 1u);
  EXPECT_EQ(report.totals.size(), 1u) << "other kinds were not asked for";
  EXPECT_THAT(report.left_out, IsEmpty());

  filter = {};
  filter.min_bytes = 3000;
  report = report_of(service(), filter);
  EXPECT_EQ(report.sites.size(), 2u);
  EXPECT_EQ(report.sites_left_out, 2u);
  EXPECT_EQ(report.left_out.at(0).figures.retained_bytes, 2000);

  filter = {};
  filter.module = "libnothing";
  EXPECT_THAT(report_of(service(), filter).sites, IsEmpty());
}

TEST(MemoryReport, OfOneThreadOnlyWhatIsRetainedIsKnown) {
  MemoryFilter filter;
  filter.thread = 43;
  MemoryReport report = report_of(service(), filter);
  ASSERT_EQ(leaves(report), (std::vector<std::string>{"cache"}));
  EXPECT_EQ(report.sites[0].figures.retained_bytes, 2000);
  EXPECT_FALSE(report.sites[0].figures.growth_per_minute);
  filter.to_ns = 5 * kSecond;
  Result<MemoryReport> refused = memory_report(service(), filter);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().exit, Exit::kUsage);
}

TEST(MemoryReport, ABadRegularExpressionIsAUsageErrorThatQuotesIt) {
  MemoryFilter filter;
  filter.site = "operator+(";
  Result<MemoryReport> report = memory_report(service(), filter);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().exit, Exit::kUsage);
  EXPECT_THAT(report.error().what, HasSubstr("operator+("));
}

TEST(MemoryReport, AHostileNameDoesNotExhaustTheStack) {
  Recording recording = service();
  recording.symbols[0].frames[0].function = std::string(1 << 20, 'a');
  MemoryFilter filter;
  filter.site = "(a|b)*Z";
  EXPECT_EQ(memory_report(recording, filter)->sites.size(), 0u);
}

TEST(MemoryReport, UnknownIsARowLikeOthers) {
  StoryRecording story;
  story.alloc(0x10, 10, StackId::kUnknown).alloc(0x20, 20, story.stack({"?", "main"}));
  MemoryReport report = report_of(story.end(kSecond));
  EXPECT_EQ(leaves(report), (std::vector<std::string>{"app+0x1000", "[unknown]"}));
  EXPECT_FALSE(report.sites[0].stack.frames()[0].named);
  EXPECT_EQ(report.totals.at(0).figures.retained_bytes, 30);
  EXPECT_DOUBLE_EQ(report.stacks.complete_share, 0.5);
  EXPECT_DOUBLE_EQ(report.stacks.unnamed_share, 0.5);
}

TEST(MemoryReport, AStackThatDidNotReachItsRootSaysWhy) {
  StoryRecording story;
  story.alloc(0x10, 10, story.stack({"f"}, 3));
  MemoryReport report = report_of(story.end(kSecond));
  EXPECT_THAT(report.sites.at(0).incomplete, HasSubstr("no unwind rule"));
  EXPECT_EQ(report.stacks.incomplete.at(0).second, 1);
}

TEST(MemoryReport, PlacesThatReadTheSameAreOneSite) {
  StoryRecording story;
  StackId a = story.stack({"f", "main"}), b = story.stack({"g", "main"});
  story.alloc(0x10, 10, a).alloc(0x20, 20, b);
  Recording recording = story.end(kSecond);
  recording.symbols[2] = recording.symbols[0];  // g is inlined code of the same line as f
  MemoryReport report = report_of(recording);
  ASSERT_EQ(report.sites.size(), 1u);
  EXPECT_EQ(report.sites[0].figures.retained_bytes, 30);
  EXPECT_EQ(report.sites[0].stacks, 2u);
}

TEST(MemoryReport, MayBeGroupedByTheCallerOfTheAllocator) {
  StoryRecording story;
  StackId a = story.stack({"operator new(unsigned long)@/lib/libstdc++.so", "grow@/lib/libfoo.so", "main"});
  StackId b = story.stack({"malloc@/lib/libc.so", "grow@/lib/libfoo.so", "other", "main"});
  StackId c = story.stack({"load", "main"});
  story.alloc(0x10, 10, a).alloc(0x20, 20, b).alloc(0x30, 5, c);
  Recording recording = story.end(kSecond);
  MemoryReport by_function = report_of(recording, {}, SortKey::kRetained, GroupBy::kFunction);
  EXPECT_EQ(leaves(by_function), (std::vector<std::string>{"grow", "load"}));
  EXPECT_EQ(by_function.sites[0].figures.retained_bytes, 30);
  MemoryReport by_module = report_of(recording, {}, SortKey::kRetained, GroupBy::kModule);
  EXPECT_EQ(leaves(by_module), (std::vector<std::string>{"libfoo.so", "app"}));
}

TEST(MemoryReport, GroupsAreOfCallSitesNotOfWrappers) {
  StoryRecording story;
  StackId a = story.stack({"malloc@/lib/libc.so", "zmalloc", "load", "main"}),
          b = story.stack({"malloc@/lib/libc.so", "zmalloc", "keep", "main"});
  story.alloc(0x10, 10, a).alloc(0x20, 20, b);
  Recording recording = story.end(kSecond);
  for (LocationSymbol& symbol : recording.symbols)
    for (SymbolFrame& frame : symbol.frames)
      frame.file = frame.function == "keep" ? "/src/keep.c" : frame.function == "load" ? "/src/load.c" : "";
  EXPECT_EQ(leaves(report_of(recording, {}, SortKey::kRetained, GroupBy::kFunction)),
            (std::vector<std::string>{"keep", "load"}));
  EXPECT_EQ(leaves(report_of(recording, {}, SortKey::kRetained, GroupBy::kFile)),
            (std::vector<std::string>{"/src/keep.c", "/src/load.c"}));
  for (LocationSymbol& symbol : recording.symbols)
    for (SymbolFrame& frame : symbol.frames) frame.file.clear();
  EXPECT_EQ(leaves(report_of(recording, {}, SortKey::kRetained, GroupBy::kFile)),
            (std::vector<std::string>{"[no source file] app"}));
}

TEST(MemoryReport, ThePeakIsDividedAmongTheSitesThatMadeIt) {
  StoryRecording story;
  StackId big = story.stack({"big"}), small = story.stack({"small"});
  story.at(kSecond / 2).alloc(0x10, 100, small).tick(kSecond);
  story.at(3 * kSecond / 2).alloc(0x20, 9000, big).at(3 * kSecond / 2 + 5).free(0x20).free(0x10).tick(2 * kSecond);
  MemoryReport report = report_of(story.end(3 * kSecond), {}, SortKey::kPeak);
  EXPECT_EQ(leaves(report), (std::vector<std::string>{"big", "small"}));
  EXPECT_EQ(report.sites[0].figures.peak_bytes, 9000);
  EXPECT_EQ(report.sites[1].figures.peak_bytes, 100);
  EXPECT_EQ(report.totals.at(0).figures.peak_bytes, 9100);
  EXPECT_EQ(report.totals.at(0).peak_time_ns, 3 * kSecond / 2);
}

TEST(MemoryReport, AChildIsToldApartFromItsParent) {
  StoryRecording story;
  StackId f = story.stack({"f"});
  story.alloc(0x10, 100, f).fork_to(1).alloc(0x20, 7, f, 43, 1);
  MemoryReport report = report_of(story.end(kSecond));
  ASSERT_EQ(report.totals.size(), 2u);
  EXPECT_EQ(report.totals[1].process, 1);
  EXPECT_EQ(report.totals[1].figures.retained_bytes, 107);
  EXPECT_EQ(report.totals[1].figures.inherited_bytes, 100);
  EXPECT_EQ(report.totals[1].figures.allocated_bytes, 7);
  EXPECT_EQ(report.totals[0].figures.retained_bytes, 100);
}

TEST(MemoryReport, LostFreesSayWhatTheyMakeUncertain) {
  StoryRecording story;
  StackId f = story.stack({"f"});
  story.alloc(0x10, 100, f).alloc(0x20, 300, f).free(0x10).free(0x20).lose(LossKind::kFree, 12).lose(LossKind::kStack, 1);
  MemoryReport report = report_of(story.end(kSecond));
  ASSERT_EQ(report.losses.size(), 2u);
  EXPECT_EQ(report.losses[0].count, 12u);
  EXPECT_EQ(report.losses[0].consequence, "at most 12 blocks (about 2.3 KB) look retained and are not");
  EXPECT_THAT(report.losses[1].consequence, HasSubstr("[unknown]"));
}

TEST(MemoryReport, LossesAreToldWithTheTimeInWhichTheyHappened) {
  StoryRecording story;
  story.at(4 * kSecond).lose(LossKind::kAlloc, 5, 3 * kSecond).at(6 * kSecond).lose(LossKind::kAlloc, 1);
  MemoryReport report = report_of(story.end(9 * kSecond));
  ASSERT_EQ(report.losses.size(), 1u);
  EXPECT_EQ(report.losses[0].first_ns, 1 * kSecond);
  EXPECT_EQ(report.losses[0].last_ns, 6 * kSecond);
}

TEST(MemoryReport, EveryKindOfLossHasWordsOfItsOwn) {
  std::set<std::string> names;
  int kinds = 0;
  for (int kind = 0; kind <= static_cast<int>(LossKind::kPerfMapLine); ++kind) {
    if (kind > static_cast<int>(LossKind::kLockWait) && kind < static_cast<int>(LossKind::kFirstUserspaceLoss)) continue;
    StoryRecording story;
    story.lose(static_cast<LossKind>(kind), 1);
    MemoryReport report = report_of(story.end(kSecond));
    ASSERT_EQ(report.losses.size(), 1u);
    EXPECT_FALSE(report.losses[0].consequence.empty()) << kind;
    names.insert(report.losses[0].name);
    ++kinds;
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(kinds));
  EXPECT_EQ(static_cast<int>(LossKind::kLockWait) + 1, DWELL_LOST_KINDS);
}

TEST(MemoryReport, ChildrenThatWereNotAskedForAreALineAndNoLoss) {
  Recording recording = service();
  recording.children = ChildCounts{.time_ns = 0, .asked = false, .forked = 12, .spawned = 1};
  MemoryReport report = report_of(recording);
  ASSERT_TRUE(report.children);
  EXPECT_THAT(report.children->words, Contains("12 child processes were not recorded; --follow-forks follows them."));
  EXPECT_THAT(report.children->words, Contains("1 program started by vfork or posix_spawn was not recorded."));
  EXPECT_TRUE(report.losses.empty());
}

TEST(MemoryReport, ACutOffRecordingAndALateAttachAreNoted) {
  Recording recording = service();
  recording.ended = false;
  recording.info.started_by_dwell = false;
  MemoryReport report = report_of(recording);
  EXPECT_FALSE(report.ended);
  EXPECT_THAT(memory_profile(recording, MemoryView::kRetained, {})->comments, Contains(HasSubstr("cut off")));
  EXPECT_THAT(report.notes, Contains(HasSubstr("before dwell attached")));
}

TEST(MemoryReport, ASampledRecordingIsScaledAndStatesItsError) {
  constexpr std::uint64_t kPeriod = 4096;
  StoryRecording story(kPeriod);
  StackId f = story.stack({"f"});
  // 4096-byte blocks are seen with a probability of 63 %: 632 of 1000.
  for (std::uint64_t i = 1; i <= 632; ++i) story.alloc(i * 8192, 4096, f);
  MemoryReport report = report_of(story.end(kSecond));
  const MemoryFigures& figures = report.sites.at(0).figures;
  EXPECT_NEAR(figures.retained_bytes, 1000 * 4096, 2000);
  EXPECT_NEAR(figures.retained_blocks, 1000, 1);
  double seen = 1 - std::exp(-1.0);
  EXPECT_NEAR(figures.retained_error, 4096 * std::sqrt(632 * (1 - seen)) / seen, 100);
  EXPECT_THAT(report.notes, Contains(HasSubstr("sampled")));
}

TEST(MemoryReport, AnEmptyRecordingIsAnEmptyReport) {
  Recording recording;
  recording.stacks.emplace_back();
  MemoryReport report = report_of(recording);
  EXPECT_THAT(report.sites, IsEmpty());
  EXPECT_THAT(report.totals, IsEmpty());
}

// Whatever is filtered, grouped or cut to a range: the rows and what was left out are the totals.
TEST(MemoryReport, TotalsAddUp) {
  std::mt19937_64 random(9);
  StoryRecording story;
  std::vector<StackId> stacks = {StackId::kUnknown};
  for (int i = 0; i < 40; ++i)
    stacks.push_back(story.stack({"f" + std::to_string(i % 13), "g" + std::to_string(i % 7) + "@/lib/m" + std::to_string(i % 3), "main"}));
  for (std::uint64_t i = 1; i <= 3000; ++i) {
    story.at(i * kSecond / 100);
    story.alloc(16 * (random() % 200), random() % 5000, stacks[random() % stacks.size()]).free(16 * (random() % 300));
    if (i % 50 == 0) story.map(4096 * (random() % 64), 4096 * (1 + random() % 9), stacks[random() % stacks.size()]);
    if (i == 2000) story.fork_to(1);
    if (i % 100 == 0) story.tick(i * kSecond / 100);
  }
  Recording recording = story.end(31 * kSecond);
  for (int variant = 0; variant < 24; ++variant) {
    MemoryFilter filter;
    if (variant & 1) filter.site = "f1";
    if (variant & 2) filter.min_bytes = 3000;
    if (variant & 4) { filter.from_ns = 7 * kSecond; filter.to_ns = 22 * kSecond; }
    GroupBy group = static_cast<GroupBy>(variant / 8);
    MemoryReport report = report_of(recording, filter, SortKey::kRetained, group);
    for (const KindReport& total : report.totals) {
      MemoryFigures sum;
      auto add = [&](const MemoryFigures& figures) {
        for (auto figure : {&MemoryFigures::retained_bytes, &MemoryFigures::retained_blocks, &MemoryFigures::allocated_bytes,
                            &MemoryFigures::allocations, &MemoryFigures::freed_bytes, &MemoryFigures::frees,
                            &MemoryFigures::temporary_bytes, &MemoryFigures::peak_bytes, &MemoryFigures::peak_blocks,
                            &MemoryFigures::inherited_bytes, &MemoryFigures::dropped_bytes})
          sum.*figure += figures.*figure;
      };
      for (const SiteReport& site : report.sites)
        if (site.kind == total.kind && site.process == total.process) add(site.figures);
      for (const KindReport& left_out : report.left_out)
        if (left_out.kind == total.kind && left_out.process == total.process) add(left_out.figures);
      EXPECT_EQ(sum.retained_bytes, total.figures.retained_bytes) << variant;
      EXPECT_EQ(sum.retained_blocks, total.figures.retained_blocks);
      EXPECT_EQ(sum.allocated_bytes, total.figures.allocated_bytes);
      EXPECT_EQ(sum.allocations, total.figures.allocations);
      EXPECT_EQ(sum.freed_bytes, total.figures.freed_bytes);
      EXPECT_EQ(sum.frees, total.figures.frees);
      EXPECT_EQ(sum.temporary_bytes, total.figures.temporary_bytes);
      EXPECT_EQ(sum.peak_bytes, total.figures.peak_bytes);
      EXPECT_EQ(sum.peak_blocks, total.figures.peak_blocks);
      EXPECT_EQ(sum.inherited_bytes, total.figures.inherited_bytes);
    }
  }
}

}  // namespace
}  // namespace dwell
