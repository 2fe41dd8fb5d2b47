// SPDX-License-Identifier: Apache-2.0
// Windows in a recording: chunks that are read back as they were written, and figures that add up.
#include <gtest/gtest.h>

#include "userspace/memory/part.h"
#include "userspace/memory/report.h"
#include "userspace/memory/verdict_text.h"
#include "userspace/memory/windows/figures.h"
#include "userspace/memory/windows/recorded.h"

namespace dwell::memory::windows {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

WindowTick a_tick() {
  WindowTick tick;
  tick.start_ns = kSecond;
  tick.end_ns = 2 * kSecond;
  tick.processes = {{0, 10, 1, 20'000'000, kSecond / 2, kSecond, 1000, 110000, {1000, 2000, 3000, 4000, 50}}};
  tick.rows = {{0, 500, 32000, 100, 64.0 * 64 * 100}, {1, 10, 1000, 10, 100000}};
  tick.given_up = {{1, 3, 300}};
  return tick;
}

Recording a_recording() {
  Recording recording;
  recording.processes.resize(1);
  recording.stacks.resize(1);
  recording.info.start_monotonic_ns = kSecond;
  MemoryPart& memory = memory_of(recording);
  memory.series = {{StackId::kUnknown, MemoryKind::kHeap, 0}, {StackId::kUnknown, MemoryKind::kHeap, 0}};
  return recording;
}

template <typename Decode>
std::string decoded(const std::string& bytes, Decode decode, Recording& into) {
  Cursor in(std::as_bytes(std::span(bytes)));
  return decode(in, into);
}

TEST(WindowChunks, ReadBackAsTheyWereWritten) {
  Recording recording = a_recording();
  RetainedSet retained{3 * kSecond, {0}, {{0, 100, 50, 200, 2, true, true, 5}, {1, 7, 7, 7, 1, false, false, 0}}, {{0, 64, 5e6}, {0, 0, 1e6}}, {0}};
  EXPECT_EQ(decoded(encode_windows(2, a_tick()), decode_windows, recording), "");
  EXPECT_EQ(decoded(encode_retained(retained), decode_retained, recording), "");
  const WindowPart& windows = memory_of(recording).windows;
  EXPECT_EQ(windows.percent, 2);
  ASSERT_EQ(windows.ticks.size(), 1u);
  EXPECT_EQ(windows.ticks[0], a_tick());
  EXPECT_EQ(windows.retained, retained);
}

TEST(WindowChunks, WhatMakesNoSenseIsRefused) {
  WindowTick tick = a_tick();
  tick.rows[1].series = 2;
  Recording recording = a_recording();
  EXPECT_NE(decoded(encode_windows(2, tick), decode_windows, recording), "") << "a series that is not there";
  tick = a_tick();
  tick.rows[0].bytes = -1;
  EXPECT_NE(decoded(encode_windows(2, tick), decode_windows, recording), "") << "a negative estimate";
  tick = a_tick();
  tick.processes[0].process = 1;
  EXPECT_NE(decoded(encode_windows(2, tick), decode_windows, recording), "") << "a process that is not there";
  EXPECT_NE(decoded(encode_retained({0, {}, {{0, 100, 150, 200, 2, true, false, 5}}, {}, {}}), decode_retained, recording), "")
      << "below its own range";
  std::string whole = encode_windows(2, a_tick());
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_NE(decoded(whole.substr(0, size), decode_windows, recording), "") << size;
}

// Windows stood for half of the time that they were followed in: all that they met counts twice.
TEST(WindowFigures, AddUpWithWhatExactRecordingSaw) {
  Recording recording = a_recording();
  MemoryPart& memory = memory_of(recording);
  MemoryTick tick;
  tick.start_ns = kSecond;
  tick.end_ns = 2 * kSecond;
  tick.rows = {{1, 5, 500, 2, 200, 0, 0}};
  tick.moved = {{1, -3, -300, 0, 0, 0}};
  memory.ticks = {tick};
  memory.windows.percent = 2;
  memory.windows.ticks = {a_tick()};
  memory.windows.retained = {2 * kSecond, {}, {{0, 6400, 3200, 9600, 100, true, false, kSecond}, {1, 250, 0, 300, 2.5, false, false, 0}}, {}, {}};

  TickRange range{0, 1, kSecond, 2 * kSecond};
  RangeFigures figures = range_figures(recording, range, 0, true);
  const SeriesFigures& first = figures.by_series[0];
  EXPECT_EQ(first.allocated.block_units, 1000u);
  EXPECT_EQ(first.allocated.bytes(), 64000);
  EXPECT_EQ(first.retained.bytes(), 6400);
  EXPECT_EQ(first.freed.bytes(), 64000 - 6400);
  EXPECT_TRUE(first.estimate.any);
  EXPECT_FALSE(first.estimate.range_only);
  const SeriesFigures& second = figures.by_series[1];
  EXPECT_EQ(second.allocated.bytes(), 500 + 2000);
  EXPECT_EQ(second.dropped.bytes(), 0) << "what was given up did not go away";
  EXPECT_EQ(second.retained.bytes(), 250);
  EXPECT_EQ(second.allocated.bytes() - second.freed.bytes(), 250);
  EXPECT_TRUE(second.estimate.range_only);
  EXPECT_TRUE(figures.live_at.empty()) << "how it grew is not known";
  std::vector<std::string> notes = notes_of_windows(recording, range);
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_NE(notes[0].find("within a budget of 2 %"), std::string::npos) << notes[0];
  EXPECT_NE(notes[0].find("10 windows"), std::string::npos) << notes[0];
}

TEST(WindowFigures, WhereNothingTellsWhatLivesRetainedIsNotKnown) {
  Recording recording = a_recording();
  MemoryPart& memory = memory_of(recording);
  MemoryTick tick;
  tick.start_ns = kSecond;
  tick.end_ns = 2 * kSecond;
  memory.ticks = {tick};
  memory.windows.ticks = {a_tick()};
  memory.windows.ticks[0].given_up.clear();
  memory.windows.retained = {2 * kSecond, {0}, {}, {}, {}};
  RangeFigures figures = range_figures(recording, {0, 1, kSecond, 2 * kSecond}, 0, true);
  EXPECT_TRUE(figures.by_series[0].estimate.retained_unknown);
  EXPECT_EQ(figures.by_series[0].retained.bytes(), 0);
}

TEST(WindowFigures, GrowthThatNoWindowMetIsTold) {
  KindReport total;
  total.figures.estimated = true;
  total.figures.retained_bytes = 1000;
  VerdictScope scope{"Heap", {}, 10 * kSecond, std::nullopt};
  EXPECT_EQ(kind_verdict(total, scope).find("came from"), std::string::npos);
  total.unnamed_growth = 5 << 20;
  total.unnamed_sizes = {{1 << 20, 5 << 20}};
  EXPECT_NE(kind_verdict(total, scope).find("Another 5.0 MB came from call sites that were not met, mostly in blocks of 1.0 MB; --exact would name them."), std::string::npos)
      << kind_verdict(total, scope);
  total.figures.retained_known = false;
  EXPECT_NE(kind_verdict(total, scope).find("is not known"), std::string::npos);
}

// What walks of the heap counted comes first: it is no estimate.
TEST(WindowFigures, WhatTheHeapGrewByIsTheCountOfItsBlocks) {
  KindReport total;
  total.figures.estimated = true;
  total.figures.range_only = true;
  total.figures.retained_high = 2 << 20;
  VerdictScope scope{"Heap", {}, 15 * kSecond, std::nullopt};
  EXPECT_EQ(kind_verdict(total, scope), "Heap: 0 B to 2.0 MB of what was allocated in 15.0 s is still in use; both are estimates.");
  total.counted = CountedChange{3 << 20, false};
  EXPECT_EQ(kind_verdict(total, scope), "Heap grew 3.0 MB in 15.0 s, by a count of its blocks. Of what was allocated in that time, 0 B to 2.0 MB is still in use, by estimate.");
  total.counted = CountedChange{-(3 << 20), false};
  EXPECT_EQ(kind_verdict(total, scope).find("Heap shrank 3.0 MB in 15.0 s, by a count"), 0u) << kind_verdict(total, scope);
  total.counted = CountedChange{9000, true};
  EXPECT_EQ(kind_verdict(total, scope), "Heap is level. Of what was allocated in 15.0 s, 0 B to 2.0 MB is still in use, by estimate.");
}

}  // namespace
}  // namespace dwell::memory::windows
