// SPDX-License-Identifier: Apache-2.0
// The memory of a process as a whole: how it is read, how it lies in a recording, and how it balances.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "tests/unit/memory/story_recording.h"
#include "userspace/memory/balance.h"
#include "userspace/memory/balance_text.h"
#include "userspace/memory/memory_usage_codec.h"
#include "userspace/memory/report.h"
#include "userspace/memory/text.h"

namespace dwell {
namespace {

using memory::Part;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::uint64_t kStart = 5000 * kSecond, kMB = 1 << 20;

MemorySample sample(std::uint64_t time_ns, std::uint64_t anonymous) {
  return {time_ns, anonymous, 2 * kMB, 0, 0, 100 * kMB, anonymous + 10 * kMB, 0, 900 * kMB};
}

ProcessAccount account(std::uint64_t time_ns, std::uint64_t live, std::uint64_t free) {
  ProcessAccount made;
  made.time_ns = time_ns;
  made.known = made.walked = true;
  made.allocators = "glibc 2.36";
  made.live_bytes = live;
  made.live_blocks = live / 1000;
  made.parts[static_cast<std::size_t>(Part::kLive)] = static_cast<std::int64_t>(live);
  made.parts[static_cast<std::size_t>(Part::kFree)] = static_cast<std::int64_t>(free);
  made.parts[static_cast<std::size_t>(Part::kFiles)] = 2 * kMB;
  made.parts[static_cast<std::size_t>(Part::kUnexplained)] = 4096;
  made.resident = live + free + 2 * kMB + 4096;
  return made;
}

template <typename Decode>
std::string decoded(Decode decode, const std::string& bytes, Recording& into) {
  Cursor in{std::string_view(bytes)};
  return decode(in, into);
}

TEST(MemoryUsage, LiesInARecordingAsItWas) {
  Recording recording;
  recording.processes.resize(2);
  std::vector<MemorySample> samples = {sample(kStart, 8 * kMB), sample(kStart + 5, 9 * kMB)}, more = {sample(kStart + 9, 7 * kMB)};
  more[0].group = 77 * kMB;
  ProcessAccount first = account(kStart, 3 * kMB, kMB), last = account(kStart + 9, 4 * kMB, 0);
  last.parts[static_cast<std::size_t>(Part::kUnexplained)] = -8192;
  last.why = "why";
  std::vector<ProcessLimit> limits = {{LimitKind::kGroup, "/a", 64 * kMB, 32 * kMB, 1, 2, 3}, {LimitKind::kData, "", 99, 9, 0, 0, 0}, {LimitKind::kGroupHigh, "/a", 60 * kMB, 32 * kMB, 4, 0, 0}};
  EXPECT_EQ(decoded(decode_samples, encode_samples(1, samples), recording), "");
  EXPECT_EQ(decoded(decode_samples, encode_samples(1, more), recording), "");
  EXPECT_EQ(decoded(decode_account, encode_account(1, AccountMoment::kFirst, first), recording), "");
  EXPECT_EQ(decoded(decode_account, encode_account(1, AccountMoment::kLast, last), recording), "");
  EXPECT_EQ(decoded(decode_limits, encode_limits(1, limits), recording), "");
  ASSERT_EQ(memory_of(recording).processes.size(), 2u);
  samples.push_back(more[0]);
  EXPECT_EQ(memory_of(recording).processes[1], (MemoryUsage{samples, first, last, limits}));
  EXPECT_EQ(memory_of(recording).processes[0], MemoryUsage());
}

TEST(MemoryUsage, IsRefusedWhereItContradictsItself) {
  Recording recording;
  recording.processes.resize(1);
  std::vector<MemorySample> samples = {sample(kStart, kMB)}, before = {sample(kStart - 1, kMB)};
  EXPECT_THAT(decoded(decode_samples, encode_samples(1, samples), recording), HasSubstr("process"));
  EXPECT_EQ(decoded(decode_samples, encode_samples(0, samples), recording), "");
  EXPECT_THAT(decoded(decode_samples, encode_samples(0, before), recording), HasSubstr("backwards"));
  std::string cut = encode_account(0, AccountMoment::kFirst, account(1, 2, 3));
  std::size_t of_first_version = cut.size() - 1;  // without PSS
  for (std::size_t size = 0; size < of_first_version; ++size) EXPECT_NE(decoded(decode_account, cut.substr(0, size), recording), "") << size;
  EXPECT_EQ(decoded(decode_account, cut.substr(0, of_first_version), recording), "");
}

TEST(MemoryUsage, HasNoImpossibleParts) {
  for (std::int64_t bytes : {std::int64_t{1} << 57, -(std::int64_t{1} << 57), std::numeric_limits<std::int64_t>::min()}) {
    Recording recording;
    recording.processes.resize(1);
    ProcessAccount impossible = account(kStart, 3 * kMB, kMB);
    impossible.parts[0] = bytes;
    EXPECT_THAT(decoded(decode_account, encode_account(0, AccountMoment::kLast, impossible), recording), HasSubstr("impossible"));
  }
}

TEST(MemoryUsage, APartThatIsNotKnownIsUnexplained) {
  Recording recording;
  recording.processes.resize(1);
  std::string bytes = encode_account(0, AccountMoment::kFirst, account(kStart, 3 * kMB, kMB));
  bytes.replace(bytes.find("live blocks"), 11, "dead blocks");
  EXPECT_EQ(decoded(decode_account, bytes, recording), "");
  EXPECT_EQ(memory_of(recording).processes[0].first.of(Part::kUnexplained), static_cast<std::int64_t>(3 * kMB + 4096));
}

// A recording of ten seconds in which RSS goes from `before` to `after` on a line.
Recording recorded(std::uint64_t before, std::uint64_t after, std::uint64_t seconds = 10) {
  StoryRecording story;
  story.recording().info.started_by_dwell = false;
  story.at(kSecond).alloc(0x1000, 3000, story.stack({"malloc", "keep", "main"}));
  Recording recording = story.end(seconds * kSecond);
  MemoryUsage& memory = memory_of(recording).processes.emplace_back();
  for (std::uint64_t i = 0; i <= 4 * seconds; ++i) {
    auto share = static_cast<double>(i) / (4.0 * static_cast<double>(seconds));
    double anonymous = static_cast<double>(before) + share * (static_cast<double>(after) - static_cast<double>(before));
    memory.samples.push_back(sample(kStart + i * kSecond / 4, static_cast<std::uint64_t>(anonymous)));
  }
  return recording;
}

std::string text_of(const Recording& recording) {
  return memory_text(*memory_report(recording, {}), {});
}

TEST(Balance, SpeaksOfTheProcessFirst) {
  Recording recording = recorded(4 * kMB, 322 * kMB);
  MemoryUsage& memory = memory_of(recording).processes[0];
  memory.first = account(kStart, 2 * kMB, kMB);
  memory.last = account(kStart + 10 * kSecond, 2 * kMB + 3000, 319 * kMB);
  memory.last.trimmable = 290 * kMB;
  std::string text = text_of(recording);
  EXPECT_THAT(text, HasSubstr("RSS +318.0 MB in 10.0 s, to 323.0 MB: +318.0 MB free inside the allocator, +2.9 KB live blocks; "
                              "malloc_trim(0) would give back about 290.0 MB."));
  EXPECT_LT(text.find("RSS +318"), text.find("Heap grew 2.9 KB"));
  EXPECT_THAT(text, HasSubstr("▁▁▂▂▂▂"));
}

// A few bytes of blocks that came and went while they were counted are no news; a part of RSS that nothing explains is.
TEST(Balance, WhatIsUnexplainedIsToldIfItIsMuch) {
  Recording recording = recorded(4 * kMB, 30 * kMB);
  MemoryUsage& memory = memory_of(recording).processes[0];
  memory.first = account(kStart, 2 * kMB, 7 * kMB);
  memory.last = account(kStart + 10 * kSecond, 30 * kMB, kMB);
  EXPECT_THAT(text_of(recording), Not(HasSubstr("unexplained")));
  memory.last.parts[static_cast<std::size_t>(Part::kUnexplained)] += 5 * kMB;
  memory.last.resident += 5 * kMB;
  EXPECT_THAT(text_of(recording), HasSubstr(", +5.0 MB unexplained."));
}

TEST(Balance, PartsAddUpToTheChange) {
  Recording recording = recorded(4 * kMB, 30 * kMB);
  memory_of(recording).processes[0].first = account(kStart, 2 * kMB, 7 * kMB);
  memory_of(recording).processes[0].last = account(kStart + 9 * kSecond, 30 * kMB, kMB);
  MemoryReport report = *memory_report(recording, {});
  ASSERT_EQ(report.balances.size(), 1u);
  std::int64_t sum = 0;
  for (const PartChange& change : report.balances[0].parts) sum += change.bytes;
  EXPECT_EQ(sum, report.balances[0].change());
  EXPECT_EQ(report.balances[0].change(), static_cast<std::int64_t>(22 * kMB));
}

TEST(Balance, OfAnOldRecordingIsNotKnown) {
  Recording recording = recorded(4 * kMB, 30 * kMB);
  memory_of(recording).processes.clear();
  EXPECT_TRUE(memory_report(recording, {})->balances.empty());
  EXPECT_THAT(text_of(recording), Not(HasSubstr("RSS")));
}

TEST(Balance, OfAHeapThatIsNotReadIsOfMappings) {
  Recording recording = recorded(40 * kMB, 60 * kMB);
  MemoryUsage& memory = memory_of(recording).processes[0];
  memory.first = account(kStart, 0, 0);
  memory.first.walked = false;
  memory.first.why = "it kept changing";
  memory.first.parts[static_cast<std::size_t>(Part::kAnonymous)] = 40 * kMB;
  memory.last = account(kStart + 10 * kSecond, 50 * kMB, 10 * kMB);
  MemoryReport report = *memory_report(recording, {});
  EXPECT_FALSE(report.balances[0].live_change);
  ASSERT_FALSE(report.balances[0].parts.empty());
  EXPECT_EQ(report.balances[0].parts[0].part, Part::kAnonymous);
  EXPECT_THAT(text_of(recording), HasSubstr("it kept changing"));
}

// A cache in equilibrium: each block that comes frees one from before.
Recording cache_in_equilibrium() {
  StoryRecording story;
  story.recording().info.started_by_dwell = false;
  StackId put = story.stack({"malloc", "cache_put", "main"});
  for (std::uint64_t i = 0; i < 2000; ++i) story.at(1 + i * 5'000'000).free(0x900000 + i * 512).alloc(0x100000 + i * 512, 500, put);
  for (std::uint64_t second = 1; second < 10; ++second) story.tick(second * kSecond + 1'000'000'000);
  return story.end(10 * kSecond + 1'000'000'000);
}

TEST(Balance, ACacheInEquilibriumNeitherGrowsNorLeaks) {
  Recording recording = cache_in_equilibrium();
  MemoryUsage& memory = memory_of(recording).processes.emplace_back();
  for (std::uint64_t i = 0; i <= 40; ++i) memory.samples.push_back(sample(kStart + i * kSecond / 4, 100 * kMB));
  memory.first = account(kStart, 100 * kMB, 0);
  memory.last = account(kStart + 10 * kSecond, 100 * kMB + 4096, 0);
  std::string text = text_of(recording);
  EXPECT_THAT(text, HasSubstr("RSS level at 102.0 MB"));
  EXPECT_THAT(text, HasSubstr("Heap is level: 976.6 KB of what was allocated in 11.0 s is still in use, and older blocks of about 972.6 KB were freed."));
  EXPECT_THAT(text, Not(HasSubstr("grew")));
  EXPECT_THAT(text, Not(HasSubstr(" a minute")));
  EXPECT_FALSE(memory_report(recording, {})->sites[0].figures.growth_per_minute);
}

// RSS is counted with an error of some hundred KB; blocks are not.
TEST(Balance, ASmallChangeIsNoneOfTheNoiseWhereBlocksMakeItUp) {
  auto balance = [](std::int64_t change, std::int64_t live) {
    ProcessBalance one;
    one.before = 1600 << 10;
    one.after = static_cast<std::uint64_t>((1600 << 10) + change);
    one.has_parts = true;
    one.parts = {{Part::kLive, live}, {Part::kFiles, change - live}};
    return one;
  };
  EXPECT_FALSE(is_level(balance(250 << 10, 247 << 10)));
  EXPECT_FALSE(is_level(balance(-250 << 10, -247 << 10)));
  EXPECT_TRUE(is_level(balance(250 << 10, 3 << 10)));
  EXPECT_TRUE(is_level(balance(250 << 10, -200 << 10)));
  EXPECT_TRUE(is_level(balance(20 << 10, 20 << 10)));
  EXPECT_FALSE(is_level(balance(300 << 10, 0)));
}

TEST(Balance, FreesOfUnknownSizeAreNoGrowth) {
  std::string text = text_of(cache_in_equilibrium());
  EXPECT_THAT(text, HasSubstr("2,000 older blocks were freed, of unknown size, so it is not known whether the heap grew."));
  EXPECT_THAT(text, Not(HasSubstr("Heap grew")));
}

TEST(Balance, TellsWhenALimitIsReachedIfItGrowsSteadily) {
  Recording recording = recorded(100 * kMB, 130 * kMB, 30);
  memory_of(recording).processes[0].limits = {{LimitKind::kGroup, "/shop", 512 * kMB, 132 * kMB, 0, 0, 1}, {LimitKind::kMachine, "", 4096 * kMB, 132 * kMB, 0, 0, 0}};
  std::string text = text_of(recording);
  EXPECT_THAT(text, HasSubstr("At this rate it reaches the 512.0 MB of its control group in 6 min"));
  EXPECT_THAT(text, HasSubstr("The kernel has ended 1 process of control group /shop for want of memory."));
}

TEST(Balance, TellsNoTimeWhereItDoesNotGrowSteadily) {
  Recording recording = recorded(100 * kMB, 100 * kMB, 30);
  for (std::size_t i = 60; i < memory_of(recording).processes[0].samples.size(); ++i) memory_of(recording).processes[0].samples[i].anonymous += 30 * kMB;
  memory_of(recording).processes[0].limits = {{LimitKind::kGroup, "/shop", 512 * kMB, 132 * kMB, 0, 0, 0}};
  EXPECT_THAT(text_of(recording), Not(HasSubstr("At this rate")));
}

// A recorder that is short of memory does not look again: the process goes on.
TEST(Balance, WithoutALookAtTheEndSaysNothingOfTheProcessesEnd) {
  Recording recording = recorded(4 * kMB, 30 * kMB);
  recording.ended = true;
  memory_of(recording).processes[0].first = account(kStart, 2 * kMB, kMB);
  memory_of(recording).processes[0].last = {};
  EXPECT_THAT(text_of(recording), HasSubstr("the recording ended before the process could be looked at again"));
  EXPECT_THAT(text_of(recording), Not(HasSubstr("the process ended")));
}

TEST(Balance, OfAProcessThatEndedIsWhatWasLastKnown) {
  Recording recording = recorded(100 * kMB, 130 * kMB, 10);
  recording.processes[0].end_ns = kStart + 10 * kSecond;
  memory_of(recording).processes[0].first = account(kStart, 90 * kMB, 0);
  EXPECT_THAT(text_of(recording), HasSubstr("The process ended: its memory is as it was last seen, 10.0 s after the start."));
}

}  // namespace
}  // namespace dwell
