// SPDX-License-Identifier: Apache-2.0
// What becomes of threads, by the site that created them.
#include "userspace/threads/ledger.h"

#include <gtest/gtest.h>

#include "sample_look.h"
#include "userspace/base/cursor.h"
#include "userspace/recording/codec.h"
#include "userspace/threads/sites.h"
#include "userspace/threads/part.h"
#include "userspace/threads/codec.h"

namespace dwell {
namespace {

constexpr std::uint64_t kPointer = 0x7000;

ThreadCreated thread(Tid tid, std::uint64_t pointer = kPointer, ThreadEnd end = ThreadEnd::kToBeJoined,
                     StackId stack = StackId{1}) {
  return {100, 0, tid, end, pointer, stack};
}

ThreadSiteChange only_change(ThreadLedger& ledger) {
  ThreadTick tick = ledger.take_tick(1000);
  EXPECT_EQ(tick.changes.size(), 1u);
  return tick.changes.empty() ? ThreadSiteChange{} : tick.changes[0];
}

TEST(ThreadLedger, JoinedBeforeOrAfterItsEndAThreadLeavesNothing) {
  ThreadLedger ledger(0);
  ledger.created(thread(10));
  ledger.settled(0, kPointer);  // pthread_join is called, and waits
  ledger.ended(200, 0, 10);
  ledger.created(thread(11));
  ledger.ended(300, 0, 11);
  ledger.settled(0, kPointer);
  ThreadSiteChange change = only_change(ledger);
  EXPECT_EQ(change.created, 2u);
  EXPECT_EQ(change.ended, 2u);
  EXPECT_EQ(change.unjoined, 0);
  EXPECT_EQ(ledger.live_count(), 0u);
}

TEST(ThreadLedger, EndedAndNotJoinedItsStackStays) {
  ThreadLedger ledger(0);
  ledger.created(thread(10));
  ledger.ended(200, 0, 10);
  EXPECT_EQ(only_change(ledger).unjoined, 1);
  ledger.settled(0, kPointer);
  EXPECT_EQ(only_change(ledger).unjoined, -1) << "joined in a later tick";
}

TEST(ThreadLedger, OnlyWhatIsToBeJoinedCanBeUnjoined) {
  for (ThreadEnd end : {ThreadEnd::kUnknown, ThreadEnd::kDetached}) {
    ThreadLedger ledger(0);
    ledger.created(thread(10, kPointer, end));
    ledger.ended(200, 0, 10);
    EXPECT_EQ(only_change(ledger).unjoined, 0);
  }
}

TEST(ThreadLedger, AStackThatIsUsedAgainHadBeenJoined) {
  ThreadLedger ledger(0);
  ledger.created(thread(10));
  ledger.ended(200, 0, 10);
  ledger.created(thread(11));
  EXPECT_EQ(only_change(ledger).unjoined, 0);
}

TEST(ThreadLedger, AThreadIdThatIsUsedAgainHadEnded) {
  ThreadLedger ledger(0);
  ledger.created(thread(10, 0x1000));
  ledger.created(thread(10, 0x2000));
  ThreadSiteChange change = only_change(ledger);
  EXPECT_EQ(change.created, 2u);
  EXPECT_EQ(change.ended, 1u);
  EXPECT_EQ(ledger.live_threads().size(), 1u);
}

TEST(ThreadLedger, WithItsProcessNothingOfAThreadStays) {
  ThreadLedger ledger(0);
  ledger.created(thread(10));
  ledger.process_ended(0);
  ThreadSiteChange change = only_change(ledger);
  EXPECT_EQ(change.ended, 1u);
  EXPECT_EQ(change.unjoined, 0);
}

TEST(ThreadLedger, WhatIsNotKnownIsPassedOver) {
  ThreadLedger ledger(0);
  ledger.settled(0, kPointer);
  ledger.ended(100, 0, 99);
  EXPECT_TRUE(ledger.take_tick(200).changes.empty());
}

TEST(ThreadSites, AddUpOverTicksAndAreReadBackAsWritten) {
  Recording recording = sample_look_recording();
  ThreadTick first{0, 1000, {{{0, StackId{1}, 2}, 5, 2, 1}, {{0, StackId{2}}, 1, 0, 0}}};
  ThreadTick second{1000, 2000, {{{0, StackId{1}, 2}, 1, 3, -1}}};
  LiveThreads live{2000, {{{0, StackId{1}, 2}, 42, 500}}};
  for (const std::string& bytes : {encode_thread_tick(first), encode_thread_tick(second)}) {
    Cursor in{std::string_view(bytes)};
    EXPECT_EQ(decode_thread_tick(in, recording), "");
  }
  std::string bytes = encode_live_threads(live);
  Cursor in{std::string_view(bytes)};
  EXPECT_EQ(decode_live_threads(in, recording), "");
  EXPECT_EQ(threads_of(recording).ticks, (std::vector<ThreadTick>{first, second}));
  EXPECT_EQ(threads_of(recording).live, live);
  ThreadSitesReport report = thread_sites(recording);
  ASSERT_EQ(report.sites.size(), 2u);
  EXPECT_EQ(report.total.created, 7u);
  EXPECT_EQ(report.total.alive(), 2u);
  EXPECT_EQ(report.total.unjoined, 0);
  EXPECT_EQ(report.sites[0].stack.frames()[0].function, "serve") << "as many stay, and more were created";
  EXPECT_EQ(report.sites[0].oldest_age_ns, 1500u);
  ASSERT_TRUE(report.sites[0].routine);
  EXPECT_EQ(report.sites[0].routine->function, "lock");
  EXPECT_FALSE(report.sites[1].routine);
}

TEST(ThreadSites, DamagedBytesAreRefused) {
  Recording recording = sample_look_recording();
  std::string bytes = encode_thread_tick({0, 1000, {{{0, StackId{1}}, 5, 2, 1}}});
  std::size_t earlier = bytes.size() - 1;  // whole, for a version that did not know what the threads run
  for (std::size_t size = 0; size < earlier; ++size) {
    Cursor in(std::string_view(bytes).substr(0, size));
    EXPECT_NE(decode_thread_tick(in, recording), "") << size;
  }
  std::string foreign = encode_thread_tick({0, 1000, {{{0, StackId{9}}, 5, 2, 1}}});
  Cursor in{std::string_view(foreign)};
  EXPECT_EQ(decode_thread_tick(in, recording), "stack 9 of 3");
  foreign = encode_thread_tick({0, 1000, {{{0, StackId{1}, 4}, 5, 2, 1}}});
  Cursor routine{std::string_view(foreign)};
  EXPECT_EQ(decode_thread_tick(routine, recording), "location 3 of 3");
  EXPECT_TRUE(threads_of(recording).ticks.empty());
}

}  // namespace
}  // namespace dwell
