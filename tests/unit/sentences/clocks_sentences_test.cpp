// SPDX-License-Identifier: Apache-2.0
// Every sentence of `dwell clocks`, each in a situation in which it is true.
#include <gtest/gtest.h>

#include "tests/unit/ui/golden.h"
#include "userspace/clocks/text.h"
#include "userspace/clocks/verdicts.h"

namespace dwell {
namespace {

std::vector<ReportFrame> stack(std::uint64_t offset) {
  std::vector<ReportFrame> frames(2);
  frames[0].function = "handle";
  frames[0].offset = offset;
  frames[1].function = "main";
  for (ReportFrame& frame : frames) frame.module = "/usr/bin/server";
  return frames;
}

ClocksReport plain() {
  ClocksReport report;
  report.program = "server";
  report.pid = 10;
  report.seconds = 10;
  report.watched_share = 1;
  report.cost_percent = 0.5;
  return report;
}

std::string scene(const std::string& title, ClocksReport report) {
  report.verdicts = judge_clocks(report);
  return "==== " + title + " ====\n" + clocks_text(report, {}) + "\n";
}

std::string reads() {
  std::string page;
  ClocksReport none = plain();
  page += scene("no reads, watched all the time", none);
  none.watched_share = 0.12;
  none.windows = 40;
  none.cost_percent.reset();
  page += scene("no reads in windows, by a target that used no CPU time", none);
  ClocksReport hot = plain();
  hot.samples = 1000;
  hot.samples_in_vdso = 500;
  for (bool sampled : {false, true}) {
    ClockReadSite site;
    site.call = "clock_gettime";
    site.clock = "CLOCK_MONOTONIC";
    site.stack = stack(0x10);
    site.per_second = sampled ? 0 : 2'000'000;
    site.cpu_percent = 20;
    site.sampled = sampled;
    hot.reads.push_back(site);
  }
  return page + scene("hot clocks, counted and sampled", hot);
}

std::string waits() {
  ClocksReport report = plain();
  ClockWaitSite site;
  site.call = "futex";
  site.clock = "CLOCK_REALTIME";
  site.kind = "wait";
  site.absolute = site.wall = true;
  site.stack = stack(0x20);
  site.count = site.timed_out = 2;
  site.asked_ns = 2'000'000'000;
  site.spanned_step = 1;
  report.waits = {site};
  site.count = site.timed_out = site.spanned_step = 0;
  site.under_way = 1;
  site.under_way_over_ns = 3'000'000'000;
  report.waits.push_back(site);
  site = {};
  site.call = "clock_nanosleep";
  site.clock = "CLOCK_MONOTONIC";
  site.kind = "sleep";
  site.stack = stack(0x30);
  site.count = site.timed_out = 3;
  site.max_over_ns = 500'000'000;
  site.max_over_asked_ns = 1'000'000;
  site.max_over_tid = 12;
  report.waits.push_back(site);
  site.max_over_thread = "ticker";
  report.waits.push_back(site);
  for (ReportFrame& frame : site.stack) frame.function = "runtime.sysmon";
  report.waits.push_back(site);
  return scene("deadlines and late wake-ups; the last one is the Go runtime's", report);
}

std::string intervals() {
  ClocksReport report = plain();
  ClockInterval interval;
  interval.first = stack(0x10);
  interval.second = stack(0x40);
  interval.total_ns = 3'000'000;
  interval.max_ns = 2'000'000;
  for (std::uint64_t count : {1, 3}) {
    interval.count = count;
    report.intervals.push_back(interval);
  }
  interval.spanned_step = 1;
  interval.spanned_by_ns = -5'000'000;
  report.intervals.push_back(interval);
  return scene("intervals on the wall clock", report);
}

std::string steps() {
  std::string page;
  ClockStep step;
  step.size_ns = -5'000'000;
  step.what = "clock_settime(CLOCK_REALTIME)";
  step.pid = 7;
  step.command = "chronyd";
  step.container = "0123456789abcdef";
  ClocksReport moved = plain();
  moved.steps = {step};
  page += scene("a step", moved);
  step.kind = ClockStepKind::kSetting;
  step.size_ns = 0;
  step.what = "frequency +1.5 ppm";
  moved.steps = {step};
  page += scene("an adjustment", moved);
  step.kind = ClockStepKind::kStep;
  step.result = -1;
  moved.steps = {step};
  page += scene("an attempt", moved);
  step = {};
  step.size_ns = 7'000'000;
  moved.steps = {step};
  moved.kernel.known = true;
  moved.kernel.clocksource = "tsc";
  moved.kernel.offset_ns = 1000;
  moved.kernel.leap = "a leap second will be inserted";
  moved.notes = {"no samples of the vDSO: no counter"};
  moved.losses = {{"stacks", 3}};
  return page + scene("from outside", moved);
}

TEST(Sentences, OfClocks) { expect_golden("clocks.txt", reads() + waits() + intervals() + steps()); }

}  // namespace
}  // namespace dwell
