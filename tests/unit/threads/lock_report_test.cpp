// SPDX-License-Identifier: Apache-2.0
// Waits for locks in a recording: how they lie there, and how they are told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/memory/story_recording.h"
#include "userspace/base/cursor.h"
#include "userspace/threads/locks/codec.h"
#include "userspace/threads/locks/report.h"
#include "userspace/threads/locks/text.h"
#include "userspace/threads/part.h"

namespace dwell {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// 30 waits of push() for a named mutex that drain() and flush() held, 5 of open() for two mutexes on the heap, and 9 for a condition.
Recording contended() {
  StoryRecording story;
  StackId push = story.stack({"__lll_lock_wait@libc.so.6", "___pthread_mutex_lock@libc.so.6", "push", "main"});
  StackId open = story.stack({"__lll_lock_wait@libc.so.6", "___pthread_mutex_lock@libc.so.6", "open", "main"});
  StackId idle = story.stack({"pthread_cond_wait@libc.so.6", "idle", "main"});
  StackId drain = story.stack({"___pthread_mutex_unlock@libc.so.6", "drain", "main"}), flush = story.stack({"___pthread_mutex_unlock@libc.so.6", "flush", "main"});
  Recording recording = story.end(10 * kSecond);
  LockWaits& waits = threads_of(recording).lock_waits;
  waits.time_ns = 9 * kSecond;
  auto wait = [&](StackId at, std::uint64_t futex, StackId holder, std::uint64_t ns, std::uint64_t times) {
    waits.waits.push_back({{0, at}, futex, true, holder == StackId::kUnknown ? LockWaitEnd::kUnknown : LockWaitEnd::kReleased, {0, holder}, ns, times, ns / times * 2});
  };
  wait(push, 0x4040, flush, kSecond / 10, 10);
  wait(push, 0x4040, drain, kSecond, 20);
  wait(open, 0x7000, drain, kSecond / 100, 2);
  wait(open, 0x7100, StackId::kUnknown, kSecond / 100, 3);
  waits.waits.push_back({{0, idle}, 0x5000, false, LockWaitEnd::kUnknown, {}, 100 * kSecond, 9, kSecond});
  waits.names[{0, 0x4040}] = "queue_lock";
  // Held after waits, by places of two locks on the heap; at least so long by who took it free; what is known
  // of a condition is no hold.
  waits.holds = {{{0, push}, 0x4040, false, 3 * kSecond, 30, kSecond},
                 {{0, drain}, 0x4040, true, 2 * kSecond, 20, kSecond / 2},
                 {{0, open}, 0x7000, false, 100, 2, 70},
                 {{0, open}, 0x7100, false, 200, 3, 90},
                 {{0, idle}, 0x5000, false, kSecond, 1, kSecond},
                 {{0, idle}, 0x9999, false, kSecond, 1, kSecond}};
  return recording;
}

TEST(LockReport, TellsLocksPlacesAndHolders) {
  Recording recording = contended();
  LockReport report = lock_report(recording, nullptr);
  ASSERT_EQ(report.rows.size(), 2u);
  EXPECT_EQ(report.all.times, 35u);
  EXPECT_EQ(report.other.times, 9u);
  const LockRow& queue = report.rows[0];
  EXPECT_EQ(lock_words(queue), "mutex queue_lock");
  EXPECT_EQ(queue.times, 30u);
  EXPECT_EQ(queue.ns, kSecond + kSecond / 10);
  EXPECT_EQ(queue.longest_ns, kSecond / 10);
  ASSERT_EQ(queue.holders.size(), 2u);
  EXPECT_EQ(queue.holders[0].stack.frames()[1].function, "drain");
  EXPECT_EQ(queue.holders[0].times, 20u);
  EXPECT_EQ(lock_words(report.rows[1]), "2 mutexes");
  EXPECT_EQ(report.rows[1].times, 5u);
}

TEST(LockReport, TellsForHowLongMutexesWereHeld) {
  Recording recording = contended();
  LockReport report = lock_report(recording, nullptr);
  ASSERT_EQ(report.holds.size(), 3u) << "neither a condition nor what nobody waited for";
  EXPECT_EQ(lock_words(report.holds[0]), "mutex queue_lock");
  EXPECT_EQ(report.holds[0].ns, 3 * kSecond);
  EXPECT_FALSE(report.holds[0].at_least);
  EXPECT_TRUE(report.holds[1].at_least);
  EXPECT_EQ(report.holds[1].stack.frames()[1].function, "drain");
  EXPECT_EQ(lock_words(report.holds[2]), "2 mutexes");
  EXPECT_EQ(report.holds[2].times, 5u);
  EXPECT_EQ(report.holds[2].longest_ns, 90u);
  SectionStyle how;
  how.style.columns = 140;
  EXPECT_THAT(lock_waits_text(report, how),
              AllOf(HasSubstr("taken at push"), HasSubstr("> 2.0 s"), HasSubstr("until released at drain"),
                    HasSubstr("> 100.0 ms")));
  nlohmann::json json = lock_waits_json(report);
  EXPECT_EQ(json["holds"][1]["holds"], 20);
  EXPECT_EQ(json["holds"][1]["at_least"], true);
}

TEST(LockReport, InWords) {
  Recording recording = contended();
  LockReport report = lock_report(recording, nullptr);
  SectionStyle how;
  how.style.columns = 140;
  EXPECT_THAT(lock_waits_text(report, how), AllOf(HasSubstr("mutex queue_lock"), HasSubstr("9 waits in futex calls were for no lock"), HasSubstr("held until released at"), HasSubstr("drain")));
  EXPECT_THAT(lock_wait_sentences(report).at(0), AllOf(HasSubstr("Threads waited"), HasSubstr("mutex queue_lock at push"), HasSubstr("held up most by drain")));
  EXPECT_EQ(lock_waits_json(report)["sites"][0]["holders"][0]["waits"], 20);
  EXPECT_EQ(lock_profile(recording).samples.size(), 8u) << "not the condition";
}

TEST(LockReport, OfNothing) {
  Recording recording = contended();
  threads_of(recording).lock_waits.waits.clear();
  EXPECT_THAT(lock_waits_text(lock_report(recording, nullptr), {}), HasSubstr("No thread waited for a lock"));
  EXPECT_TRUE(lock_wait_sentences(lock_report(recording, nullptr)).empty());
}

TEST(LockChunk, IsReadAsItWasWritten) {
  Recording recording = contended(), again = recording;
  threads_of(again).lock_waits = {};
  std::string bytes = encode_lock_waits(threads_of(recording).lock_waits);
  Cursor in{std::string_view(bytes)};
  EXPECT_EQ(decode_lock_waits(in, again), "");
  EXPECT_EQ(threads_of(again).lock_waits, threads_of(recording).lock_waits);
  std::string cut = bytes.substr(0, bytes.size() - 1);
  Cursor short_one{std::string_view(cut)};
  EXPECT_NE(decode_lock_waits(short_one, again), "");
  // An older recording ends before the holds.
  LockWaits without = threads_of(recording).lock_waits;
  without.holds.clear();
  std::string older = encode_lock_waits(without);
  older.pop_back();
  Cursor of_older{std::string_view(older)};
  EXPECT_EQ(decode_lock_waits(of_older, again), "");
  EXPECT_EQ(threads_of(again).lock_waits, without);
  std::string elsewhere =
      encode_lock_waits({1, {{{7, StackId{0}}, 1, true, LockWaitEnd::kUnknown, {}, 1, 1, 1}}, {}, {}});
  Cursor wrong{std::string_view(elsewhere)};
  EXPECT_THAT(decode_lock_waits(wrong, again), HasSubstr("process 7"));
}

}  // namespace
}  // namespace dwell
