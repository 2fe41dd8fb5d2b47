// SPDX-License-Identifier: Apache-2.0
// A look at threads, written and read back.
#include <gtest/gtest.h>

#include "sample_look.h"
#include "userspace/base/cursor.h"
#include "userspace/recording/codec.h"
#include "userspace/threads/part.h"
#include "userspace/threads/codec.h"

namespace dwell {
namespace {

std::string decode(std::string_view bytes, Recording& recording) {
  Cursor in(bytes);
  return decode_look(in, recording);
}

TEST(LookCodec, ReadsBackWhatWasWritten) {
  Recording recording = sample_look_recording();
  ThreadLook look = threads_of(recording).looks[0];
  threads_of(recording).looks.clear();
  look.threads[0].busy_ns = look.threads[0].busy_over_ns = 20'000'000;
  look.threads[0].spins = "in the same state";
  look.threads[0].spins_on = "ready";
  look.locks[0].likely = {{10, "transfer"}};
  look.locks[0].readers = 2;
  look.locks[0].upgrading = {{10, "raise"}, {11, ""}};
  EXPECT_EQ(decode(encode_look(look), recording), "");
  ASSERT_EQ(threads_of(recording).looks.size(), 1u);
  EXPECT_EQ(threads_of(recording).looks[0], look);
}

TEST(LookCodec, OfCirclesThroughOtherProcessesToo) {
  Recording recording = sample_look_recording();
  ThreadLook look = threads_of(recording).looks[0];
  threads_of(recording).looks.clear();
  look.handled_signals = 1 << 14;
  look.chain.processes = {{10, true, 2}, {12, true, 0}};
  look.chain.waits = {{10, 10, "parent", "main", "the end of child 12", 5, StackId{1}, {12}, true, false, ""},
                      {12, 12, "child", "child", "write to pipe 1", 0, StackId{2}, {10, 12}, true, true, "others may open the FIFO"}};
  EXPECT_EQ(decode(encode_look(look), recording), "");
  EXPECT_EQ(threads_of(recording).looks.at(0), look);
  look.chain.waits[1].stack = StackId{3};
  EXPECT_EQ(decode(encode_look(look), recording), "thread 12 has stack 3 of 3");
  std::string bytes = encode_look(look);
  EXPECT_NE(decode(std::string_view(bytes).substr(0, bytes.size() - 1), recording), "");
}

TEST(LookCodec, CutOffAnywhereItIsRefused) {
  Recording recording = sample_look_recording();
  std::string bytes = encode_look(threads_of(recording).looks[0]);
  threads_of(recording).looks.clear();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_NE(decode(std::string_view(bytes).substr(0, size), recording), "") << size;
    EXPECT_TRUE(threads_of(recording).looks.empty());
  }
}

TEST(LookCodec, NamesOnlyWhatIsThere) {
  Recording recording = sample_look_recording();
  ThreadLook look = threads_of(recording).looks[0];
  look.threads[0].stack = StackId{99};
  EXPECT_EQ(decode(encode_look(look), recording), "thread 10 has stack 99 of 3");
  look = threads_of(recording).looks[0];
  look.threads[1].lock = 1;
  EXPECT_EQ(decode(encode_look(look), recording), "thread 11 waits for lock 2 of 1");
  look = threads_of(recording).looks[0];
  look.process = 3;
  EXPECT_EQ(decode(encode_look(look), recording), "process 3 of 1");
}

TEST(LookCodec, WhatALaterVersionHasAddedIsPassedOver) {
  Recording recording = sample_look_recording();
  ThreadLook look = threads_of(recording).looks[0];
  look.handled_signals = 0;
  look.threads[0].wait = static_cast<WaitKind>(77);
  look.threads[0].state = static_cast<ThreadState>(77);
  ASSERT_EQ(decode(encode_look(look) + "more", recording), "");
  EXPECT_EQ(threads_of(recording).looks.back().threads[0].wait, WaitKind::kOther);
  EXPECT_EQ(threads_of(recording).looks.back().threads[0].state, ThreadState::kSleeping);
}

}  // namespace
}  // namespace dwell
