// SPDX-License-Identifier: Apache-2.0
// The kernel's answer, and the scheduler's clock.
#include <gtest/gtest.h>

#include "userspace/process/descriptors.h"
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

TEST(Sockets, LinesOfTheKernelsTables) {
  SocketLine listening = parse_inet_socket(
      "   0: 0100007F:18EB 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 "
      "100",
      "tcp");
  EXPECT_EQ(listening.inode, 4711u);
  EXPECT_EQ(listening.words, "listening at 127.0.0.1:6379");
  SocketLine connected = parse_inet_socket(
      "   1: 0100007F:9C40 0100007F:18EB 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 "
      "20",
      "tcp");
  EXPECT_EQ(connected.words, "to 127.0.0.1:6379");
  SocketLine six = parse_inet_socket(
      "   2: 00000000000000000000000001000000:0050 "
      "00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 4713 1 0 0",
      "tcp");
  EXPECT_EQ(six.words, "listening at [::1]:80");
  SocketLine mapped = parse_inet_socket(
      "   2: 0000000000000000FFFF00000100007F:0050 "
      "0000000000000000FFFF00000100007F:1234 01 0:0 00:0 0 0 0 4714 1 0 0",
      "tcp");
  EXPECT_EQ(mapped.words, "to 127.0.0.1:4660");
  SocketLine datagrams =
      parse_inet_socket("   3: 0100007F:0035 00000000:0000 07 0:0 00:0 0 0 0 4715 1 0 0", "udp");
  EXPECT_EQ(datagrams.words, "(udp at 127.0.0.1:53)");
}

TEST(Sockets, WhatIsNoSuchLineIsNone) {
  EXPECT_EQ(parse_inet_socket(
                "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid", "tcp")
                .inode,
            0u);
  EXPECT_EQ(parse_inet_socket("", "tcp").inode, 0u);
  EXPECT_EQ(parse_inet_socket("0: zz:zz : 0A x x x x x x", "tcp").inode, 0u);
}

}  // namespace
}  // namespace dwell
