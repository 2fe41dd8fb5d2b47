// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/ui/golden.h"
#include "tests/unit/memory/sample_reports.h"
#include "ui/text_width.h"
#include "userspace/base/text.h"

namespace dwell {
namespace {

using testing::HasSubstr;
using testing::Not;

MemoryTextOptions wide(std::size_t columns) { return {.style = {.columns = columns}, .sites = 5}; }

TEST(MemoryText, FitsAWideTerminal) {
  expect_golden("report_140.txt", memory_text(server_report(), wide(140)));
}
TEST(MemoryText, FitsANarrowTerminal) {
  expect_golden("report_80.txt", memory_text(server_report(), wide(80)));
}
TEST(MemoryText, CutsNothingInAPipe) {
  expect_golden("report_pipe.txt", memory_text(server_report(), wide(0)));
}
TEST(MemoryText, TellsWhatIsUncertain) {
  expect_golden("report_troubled.txt", memory_text(troubled_report(), wide(120)));
}
TEST(MemoryText, ShowsWhatGrew) { expect_golden("diff_100.txt", memory_diff_text(server_diff(), wide(100))); }

TEST(MemoryText, NoLineIsWiderThanTheTerminal) {
  for (std::size_t columns : {40, 60, 80, 100, 133, 200}) {
    std::string text = memory_text(server_report(), wide(columns)) +
                       memory_diff_text(server_diff(), wide(columns)) +
                       memory_text(troubled_report(), wide(columns));
    for (std::string_view line : split(text, '\n')) EXPECT_LE(display_width(line), columns) << line;
  }
}

TEST(MemoryText, OnlyColourIsAddedByColour) {
  MemoryTextOptions plain = wide(100), coloured = wide(100);
  coloured.style.colour = true;
  std::string text = memory_text(troubled_report(), coloured), bare;
  EXPECT_THAT(text, HasSubstr("\x1b[31m"));
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\x1b') {
      i = text.find('m', i);
    } else {
      bare += text[i];
    }
  }
  EXPECT_EQ(bare, memory_text(troubled_report(), plain));
  EXPECT_THAT(memory_text(troubled_report(), plain), Not(HasSubstr("\x1b")));
}

TEST(MemoryText, ASummaryHasNoStacks) {
  MemoryTextOptions options = wide(100);
  options.stacks = 0;
  EXPECT_THAT(memory_text(server_report(), options), Not(HasSubstr("#1")));
}

TEST(MemoryText, AFewRowsAndTheRestStillAddUp) {
  MemoryTextOptions options = wide(0);
  options.sites = 1;
  EXPECT_THAT(memory_text(server_report(), options), HasSubstr("7 call sites not shown"));
}

TEST(MemoryText, NothingIsSaid) {
  EXPECT_THAT(memory_text(MemoryReport{}, wide(80)), HasSubstr("No memory was allocated or freed."));
}

TEST(MemoryText, SaysInALineThatNothingIsRetained) {
  MemoryReport report = server_report();
  for (SiteReport& site : report.sites) site.figures.retained_bytes = site.figures.retained_blocks = 0;
  for (KindReport& total : report.totals) total.figures.retained_bytes = total.figures.retained_blocks = 0;
  std::string text = memory_text(report, wide(0));
  EXPECT_THAT(text, HasSubstr("Nothing that was allocated in this time is still in use: 54.3 MB in"));
  EXPECT_THAT(text, HasSubstr("--sort allocated"));
  EXPECT_THAT(text, Not(HasSubstr("0 B in 0 blocks")));
  report.sort = SortKey::kAllocated;
  EXPECT_THAT(memory_text(report, wide(0)), HasSubstr("SSL_CTX_new")) << "by what they allocate, they have rows";
}

TEST(MemoryText, CallsOnlyGrowthThatIsSteadySteady) {
  MemoryReport report = server_report();
  report.totals[0].growth = {GrowthShape::kLevelled, 8'000'000'000};
  EXPECT_THAT(memory_text(report, wide(0)), HasSubstr("in 1 min 0 s, and has been level for the last 8.0 s"));
  report.totals[0].growth = {GrowthShape::kBursts};
  EXPECT_THAT(memory_text(report, wide(0)), HasSubstr("in 1 min 0 s, in bursts; 2 call sites account for 99.4 % of it"));
  report.totals[0].growth = {GrowthShape::kUneven};
  EXPECT_THAT(memory_text(report, wide(0)), HasSubstr("in 1 min 0 s, at no steady rate; 2 call sites account for 99.4 % of it"));
  report.totals[0].growth = {GrowthShape::kUnknown};
  EXPECT_THAT(memory_text(report, wide(0)), HasSubstr("in 1 min 0 s; 2 call sites account for 99.4 % of it"));
}

TEST(MemoryText, WhatIsNotSeenComesFirst) {
  MemoryReport report = server_report();
  report.unseen = {{0, "memory", "malloc in /usr/lib/libc.so.6", "attach malloc: Invalid argument"}};
  std::string text = memory_text(report, wide(0));
  EXPECT_EQ(text.find("NOT SEEN: malloc in /usr/lib/libc.so.6: attach malloc: Invalid argument\n"), 0u);
  EXPECT_THAT(text, HasSubstr("Of what is seen, no event was lost."));
  EXPECT_THAT(text, HasSubstr("37 frees of blocks whose allocation was not seen"));
  MemoryReport empty;
  empty.unseen = report.unseen;
  EXPECT_THAT(memory_text(empty, wide(0)), Not(HasSubstr("No memory was allocated")));
}

TEST(MemoryText, SaysWhyABlockIsFreedThatNobodyAllocated) {
  MemoryReport report = server_report();
  EXPECT_THAT(memory_text(report, wide(0)), HasSubstr("37 frees of blocks allocated before the recording began"));
  report.info.started_by_dwell = true;
  report.surprises.cache_frees = 30;
  std::string text = memory_text(report, wide(0));
  EXPECT_THAT(text, HasSubstr("30 frees of cached blocks by threads that ended"));
  EXPECT_THAT(text, HasSubstr("7 frees of blocks that a vfork child allocated"));
  EXPECT_THAT(text, Not(HasSubstr("before the recording began")));
}

TEST(MemoryText, GivesNoShareOfCpuTimeThatIsNotKnown) {
  MemoryReport report = server_report();
  report.cost->target_cpu_percent.reset();
  EXPECT_THAT(memory_text(report, wide(0)), HasSubstr("Cost: not measured, as the target used next to no CPU time"));
}

}  // namespace
}  // namespace dwell
