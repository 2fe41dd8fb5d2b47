// SPDX-License-Identifier: Apache-2.0
// Which memory a lock lies in.
#include "userspace/threads/lock_blocks.h"

#include <gtest/gtest.h>

#include "sample_look.h"
#include "userspace/threads/report.h"
#include "userspace/threads/part.h"
#include "userspace/memory/block_sites.h"
#include "userspace/memory/part.h"

namespace dwell {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000, kLock = 0x1000;

// With blocks of the process around its lock.
Recording sample(const std::vector<LiveBlock>& blocks) {
  Recording recording = sample_look_recording();
  memory_of(recording).series = {{StackId{1}, MemoryKind::kHeap, 0}, {StackId{2}, MemoryKind::kMapping, 0}};
  memory_of(recording).live = {61 * kSecond, blocks};
  return recording;
}

Result<ThreadReport> report_of(Recording recording) {
  return thread_report(std::move(recording), {}, &recorded_block_sites());
}

const BlockSite* found_in(const Result<ThreadReport>& report) { return report->block_of(0); }

TEST(LockBlocks, TheSmallestBlockAroundTheLockCounts) {
  Result<ThreadReport> report = report_of(
      sample({{kLock - 0x800, 0x1000, kSecond, 1, 10, false}, {kLock - 16, 64, 21 * kSecond, 0, 10, false}}));
  ASSERT_TRUE(report && found_in(report));
  EXPECT_EQ(found_in(report)->address, kLock - 16);
  EXPECT_EQ(found_in(report)->size, 64u);
  EXPECT_EQ(found_in(report)->age_ns, 40 * kSecond);
  EXPECT_EQ(found_in(report)->stack[0].function, "serve");
}

TEST(LockBlocks, WhatEndsBeforeTheLockOrBeganAfterTheLookDoesNot) {
  for (LiveBlock block :
       {LiveBlock{kLock - 16, 16, kSecond, 0, 10, false}, LiveBlock{kLock + 1, 64, kSecond, 0, 10, false},
        LiveBlock{kLock, 64, 62 * kSecond, 0, 10, false}}) {
    Result<ThreadReport> report = report_of(sample({block}));
    ASSERT_TRUE(report);
    EXPECT_EQ(found_in(report), nullptr) << block.address;
  }
}

TEST(LockBlocks, AnotherProcessWithTheSameIdKnowsNothing) {
  Recording memory = sample({{kLock, 64, kSecond, 0, 10, false}});
  Recording look = sample_look_recording();
  threads_of(look).looks[0].threads[0].tid = 4711;  // the first thread, which is younger than the recording of the memory
  threads_of(look).looks[0].threads[0].started_ns = 50 * kSecond;
  Result<ThreadReport> report = thread_report(look);
  EXPECT_FALSE(can_tell_lock_blocks(memory, recorded_block_sites(), *report));
  find_lock_blocks(memory, recorded_block_sites(), *report);
  EXPECT_EQ(found_in(report), nullptr);
  report->threads[0].facts.started_ns = kSecond / 2;
  EXPECT_TRUE(can_tell_lock_blocks(memory, recorded_block_sites(), *report));
  memory.info.start_unix_ns += 3600 * kSecond;  // it was another boot
  EXPECT_FALSE(can_tell_lock_blocks(memory, recorded_block_sites(), *report));
}

}  // namespace
}  // namespace dwell
