// SPDX-License-Identifier: Apache-2.0
// The kernel's answer, and the scheduler's clock.
#include <gtest/gtest.h>

#include "userspace/threads/looker.h"

namespace dwell {
namespace {

dwell_thread_record record_of(std::uint32_t tid) {
  dwell_thread_record record{};
  record.tid = tid;
  record.start_ns = 100;
  record.time_ns = 1'000'000;
  return record;
}

std::string bytes_of(const dwell_thread_record& record, std::string_view stack) {
  dwell_thread_record whole = record;
  whole.stack_bytes = static_cast<__u32>(stack.size());
  return std::string(reinterpret_cast<const char*>(&whole), sizeof whole) + std::string(stack);
}

TEST(ParseLook, EachThreadHasItsWindowAndTheyAreInOrder) {
  Result<RawLook> look = parse_look(bytes_of(record_of(7), "seven") + bytes_of(record_of(3), "") +
                                    bytes_of(record_of(5), "five!"));
  ASSERT_TRUE(look) << look.error().what;
  ASSERT_EQ(look->threads.size(), 3u);
  EXPECT_EQ(look->threads[0].record.tid, 3u);
  EXPECT_EQ(look->window(look->threads[0]), "");
  EXPECT_EQ(look->window(look->threads[1]), "five!");
  EXPECT_EQ(look->window(look->threads[2]), "seven");
}

TEST(ParseLook, AnAnswerThatIsCutOffIsAnError) {
  std::string bytes = bytes_of(record_of(7), "seven");
  for (std::size_t size = 1; size < bytes.size(); ++size)
    EXPECT_FALSE(parse_look(bytes.substr(0, size))) << size;
  dwell_thread_record lies = record_of(7);
  lies.kernel_frames = 0xffffffff;
  EXPECT_FALSE(parse_look(bytes_of(lies, "")));
}

// The reader got its CPU at 400 of the scheduler's clock, and noted it at 1,000,000 of ours: 999,600 apart at
// most.
TEST(ParseLook, TheSchedulersClockIsTranslated) {
  dwell_thread_record thread = record_of(7), later = record_of(8);
  thread.arrival_ns = 200;
  thread.slice_ns = 50;
  thread.reader_arrival_ns = 400;
  later.reader_arrival_ns = 400;
  later.time_ns = 1'000'500;
  Result<RawLook> look = parse_look(bytes_of(thread, "") + bytes_of(later, ""));
  ASSERT_TRUE(look);
  EXPECT_EQ(look->clock_offset_ns, 999'600u);
  EXPECT_EQ(look->last_ran_ns(look->threads[0]), 200 + 50 + 999'600u);
  EXPECT_EQ(look->last_ran_ns(look->threads[1]), 0u) << "it never ran";
}

TEST(ParseLook, WhatRanLastLiesBetweenTheThreadsBeginAndNow) {
  dwell_thread_record thread = record_of(7);
  thread.reader_arrival_ns = 1;
  thread.arrival_ns = 5'000'000;
  Result<RawLook> look = parse_look(bytes_of(thread, ""));
  ASSERT_TRUE(look);
  EXPECT_EQ(look->last_ran_ns(look->threads[0]), 1'000'000u);
}

// A class of threads that the fair scheduler does not run has no slice there.
TEST(ParseLook, OnlyFairlyScheduledThreadsHaveASlice) {
  dwell_thread_record thread = record_of(7);
  thread.reader_arrival_ns = 400;
  thread.arrival_ns = 200;
  thread.slice_ns = 50;
  thread.policy = 1;  // SCHED_FIFO
  Result<RawLook> look = parse_look(bytes_of(thread, ""));
  EXPECT_EQ(look->last_ran_ns(look->threads[0]), 200 + 999'600u);
}

}  // namespace
}  // namespace dwell
