// SPDX-License-Identifier: Apache-2.0
#include "userspace/clocks/verdicts.h"

#include <gtest/gtest.h>

namespace dwell {
namespace {

using Kind = ClockVerdict::Kind;

ReportFrame frame(const std::string& function, std::uint64_t offset) {
  ReportFrame result;
  result.function = function;
  result.module = "/usr/bin/server";
  result.offset = offset;
  return result;
}

ClockInterval interval(std::vector<ReportFrame> first, std::vector<ReportFrame> second) {
  ClockInterval result;
  result.first = std::move(first);
  result.second = std::move(second);
  result.count = 10;
  result.total_ns = 10'000'000;
  result.max_ns = 2'000'000;
  result.lengths[19] = 10;
  return result;
}

std::vector<Kind> kinds(const ClocksReport& report) {
  std::vector<Kind> result;
  for (const ClockVerdict& verdict : judge_clocks(report)) result.push_back(verdict.kind);
  return result;
}

TEST(ClockVerdictsOfIntervals, NeedTwoReadsAtDifferentPlacesOfOneCall) {
  ClocksReport report;
  report.intervals = {
      interval({frame("handle", 0x10), frame("main", 0x100)}, {frame("handle", 0x40), frame("main", 0x100)})};
  EXPECT_EQ(kinds(report), std::vector{Kind::kInterval});
  EXPECT_NE(judge_clocks(report)[0].text.find("handle reads the wall clock twice"), std::string::npos);
}

TEST(ClockVerdictsOfIntervals, LookThroughAHelperThatReads) {
  ClocksReport report;
  report.intervals = {interval({frame("now", 0x5), frame("handle", 0x10), frame("main", 0x100)},
                               {frame("now", 0x5), frame("handle", 0x40), frame("main", 0x100)})};
  EXPECT_EQ(kinds(report), std::vector{Kind::kInterval});
}

TEST(ClockVerdictsOfIntervals, LeaveLoopsAlone) {
  ClocksReport report;
  // One place in a loop, the way back to the loop's start, and two functions that a third calls in turn.
  report.intervals = {
      interval({frame("poll_loop", 0x10), frame("main", 0x100)},
               {frame("poll_loop", 0x10), frame("main", 0x100)}),
      interval({frame("handle", 0x40), frame("main", 0x100)}, {frame("handle", 0x10), frame("main", 0x100)}),
      interval({frame("log", 0x5), frame("main", 0x100)}, {frame("stamp", 0x7), frame("main", 0x180)})};
  EXPECT_TRUE(kinds(report).empty());
}

TEST(ClockVerdictsOfIntervals, SayWhatAStepDidToThem) {
  ClocksReport report;
  report.intervals = {interval({frame("handle", 0x10)}, {frame("handle", 0x40)})};
  report.intervals[0].spanned_step = 1;
  report.intervals[0].spanned_by_ns = -5'000'000;
  ASSERT_EQ(kinds(report), (std::vector{Kind::kHitByStep, Kind::kInterval})) << "the gravest first";
  EXPECT_NE(judge_clocks(report)[0].text.find("5.0 ms too short"), std::string::npos)
      << judge_clocks(report)[0].text;
}

ClockWaitSite wait_until(const std::string& clock, bool absolute) {
  ClockWaitSite site;
  site.call = "futex";
  site.kind = "wait";
  site.clock = clock;
  site.wall = clock == "CLOCK_REALTIME";
  site.absolute = absolute;
  site.count = site.timed_out = 3;
  site.asked_ns = 3'000'000;
  site.stack = {frame("__pthread_cond_timedwait", 1), frame("wait_for_work", 2)};
  return site;
}

TEST(ClockVerdictsOfWaits, BlameAbsoluteTimesOfTheWallClockOnly) {
  ClocksReport report;
  report.waits = {wait_until("CLOCK_MONOTONIC", true), wait_until("CLOCK_REALTIME", false)};
  EXPECT_TRUE(kinds(report).empty());
  report.waits.push_back(wait_until("CLOCK_REALTIME", true));
  ASSERT_EQ(kinds(report), std::vector{Kind::kDeadline});
  EXPECT_NE(judge_clocks(report)[0].advice.find("pthread_condattr_setclock"), std::string::npos);
}

TEST(ClockVerdictsOfWaits, NameWhoSleptTooLong) {
  ClocksReport report;
  report.waits = {wait_until("CLOCK_MONOTONIC", false)};
  report.waits[0].max_over_ns = 400'000'000;
  report.waits[0].max_over_asked_ns = 1'000'000;
  report.waits[0].max_over_tid = 4711;
  report.waits[0].max_over_thread = "flusher";
  ASSERT_EQ(kinds(report), std::vector{Kind::kOverslept});
  EXPECT_NE(judge_clocks(report)[0].text.find("flusher (4711)"), std::string::npos);
  report.waits[0].max_over_asked_ns = 60'000'000'000;
  EXPECT_TRUE(kinds(report).empty()) << "late by less than it slept";
}

TEST(ClockVerdictsOfReads, NeedSamplesToCallAClockHot) {
  ClocksReport report;
  ClockReadSite site;
  site.clock = "CLOCK_MONOTONIC";
  site.stack = {frame("spin", 1)};
  site.cpu_percent = 40;
  site.per_second = 1e7;
  report.reads = {site};
  EXPECT_TRUE(kinds(report).empty());
  report.samples = 5000;
  EXPECT_EQ(kinds(report), (std::vector{Kind::kHot, Kind::kCoarse}));
  report.reads[0].coarse = true;
  EXPECT_EQ(kinds(report), std::vector{Kind::kHot});
}

ClockWaitSite late_wait(std::vector<ReportFrame> stack) {
  ClockWaitSite site;
  site.call = "futex";
  site.clock = "CLOCK_MONOTONIC";
  site.kind = "wait";
  site.stack = std::move(stack);
  site.count = site.timed_out = 3;
  site.max_over_ns = 500'000'000;
  site.max_over_asked_ns = 1'000'000;
  return site;
}

TEST(ClockVerdictsOfWaits, ThoseOfARuntimesOwnThreadsAreNobodysFault) {
  ReportFrame jvm = frame("WatcherThread::sleep", 0x10), libc = frame("pthread_cond_clockwait", 0x20);
  jvm.module = "/usr/lib/jvm/lib/server/libjvm.so";
  libc.module = "/lib/x86_64-linux-gnu/libc.so.6";
  ClocksReport report;
  report.waits = {late_wait({frame("runtime.futex", 1), frame("runtime.sysmon", 2), frame("runtime.mstart1", 3)}),
                  late_wait({libc, jvm})};
  EXPECT_TRUE(kinds(report).empty());
  report.waits = {late_wait({frame("runtime.futex", 1), frame("main.poll", 2)}), late_wait({libc, frame("work", 2)}),
                  late_wait({libc})};
  EXPECT_EQ(kinds(report), (std::vector{Kind::kOverslept, Kind::kOverslept, Kind::kOverslept}));
}

TEST(ClockVerdictsOfWaits, OfADeadlineThatHasNotComeNoAverageIsTold) {
  ClocksReport report;
  ClockWaitSite site;
  site.call = "futex";
  site.clock = "CLOCK_REALTIME";
  site.absolute = site.wall = true;
  site.under_way = 1;
  report.waits = {site};
  std::vector<ClockVerdict> verdicts = judge_clocks(report);
  ASSERT_EQ(verdicts.size(), 1u);
  EXPECT_EQ(verdicts[0].text, "futex until a time of CLOCK_REALTIME");
}

TEST(ClockVerdictsOfReads, WhatOnlySamplesSawHasNoRate) {
  ClocksReport report;
  report.samples = 1000;
  report.samples_in_vdso = 500;
  ClockReadSite site;
  site.clock = "CLOCK_MONOTONIC";
  site.cpu_percent = 40;
  site.sampled = true;
  site.stack = {frame("work", 1)};
  report.reads = {site};
  std::vector<ClockVerdict> verdicts = judge_clocks(report);
  ASSERT_EQ(verdicts.size(), 1u);
  EXPECT_EQ(verdicts[0].evidence, "500 of 1000 samples of the CPUs' clock were in the vDSO");
}

}  // namespace
}  // namespace dwell
