// SPDX-License-Identifier: Apache-2.0
// A recording on one screen.
#include "userspace/memory/summary_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/memory/sample_reports.h"
#include "tests/unit/ui/golden.h"
#include "ui/text_width.h"
#include "userspace/base/text.h"

namespace dwell {
namespace {

using testing::HasSubstr;
using testing::Not;

SummaryTextOptions screen(std::size_t columns) {
  return {.style = {.columns = columns},
          .end = {"Saved server.4242.dwell (12.0 KB). Next:", "  dwell report server.4242.dwell", "  dwell export server.4242.dwell -o server.4242.html"}};
}

TEST(Summary, FitsAScreen) {
  expect_golden("summary_80.txt", summary_text(server_report(), screen(80)));
  expect_golden("summary_140.txt", summary_text(server_report(), screen(140)));
  expect_golden("summary_troubled.txt", summary_text(troubled_report(), screen(80)));
}

TEST(Summary, HasAtMostTwentyLinesOfEightyColumns) {
  MemoryReport troubled = troubled_report();
  troubled.balances = {server_report().balances[0], server_report().balances[0]};
  troubled.balances[1].process = 1;
  for (const MemoryReport& report : {server_report(), troubled, MemoryReport()}) {
    std::string text = summary_text(report, screen(80));
    EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 20) << text;
    for (std::string_view line : split(text, '\n')) EXPECT_LE(display_width(line), 80u) << line;
  }
}

TEST(Summary, HasARowLessForEachLineThatSomethingElseTakes) {
  SummaryTextOptions options = screen(80);
  options.others = {"Deadlock (certain): 2 threads wait for each other", "2 goroutines can never wake.", "One more thing."};
  std::string text = summary_text(server_report(), options);
  EXPECT_THAT(text, HasSubstr("Deadlock (certain)"));
  EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 20) << text;
  EXPECT_THAT(text, HasSubstr("arena_grow"));
  EXPECT_THAT(text, HasSubstr("more call sites"));
}

TEST(Summary, OfAProcessThatDoesNothingNamesItsChildren) {
  MemoryReport report;
  report.processes = {{1, -1, "master", "master", 0, 0}};
  report.notes = {"memory allocated before dwell attached has no call site", "master (1): it has 4 child processes, which are not recorded"};
  std::string text = summary_text(report, screen(80));
  EXPECT_THAT(text, HasSubstr("it has 4 child processes"));
  EXPECT_THAT(text, Not(HasSubstr("no call site")));
}

TEST(Summary, SpeaksFirstOfTheProcessThatRetainsMost) {
  MemoryReport report = server_report();
  report.balances.clear();
  report.processes = {{1, -1, "master", "master", 0, 0}, {2, 0, "idle", "idle", 0, 0}, {3, 0, "quiet", "quiet", 0, 0}, {4, 0, "leaks", "leaks", 0, 0}};
  KindReport heap = report.totals[0];
  report.totals.clear();
  for (ProcessSlot process : {1, 2, 3}) {
    heap.process = process;
    heap.figures.retained_bytes = process == 3 ? 500'000 : 0;
    report.totals.push_back(heap);
  }
  std::string text = summary_text(report, screen(140));
  EXPECT_THAT(text, HasSubstr("Heap of leaks (4)"));
  EXPECT_THAT(text, Not(HasSubstr("Heap of quiet (3)")));
}

TEST(Summary, HasNoRowsOfNothing) {
  MemoryReport report = server_report();
  for (SiteReport& site : report.sites) site.figures.retained_bytes = site.figures.retained_blocks = 0;
  std::string text = summary_text(report, screen(80));
  EXPECT_THAT(text, HasSubstr("Nothing that was allocated in this time is still in use"));
  EXPECT_THAT(text, Not(HasSubstr("0 B  ")));
}

}  // namespace
}  // namespace dwell
