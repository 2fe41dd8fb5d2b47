// SPDX-License-Identifier: Apache-2.0
// Timers and contexts of a Go program in a recording.
#include <gtest/gtest.h>

#include <set>

#include "sample_recording.h"
#include "userspace/go/codec.h"
#include "userspace/go/part.h"

namespace dwell {
namespace {

GoHeld sample_held() {
  GoHeld held{7'000'000'000, 1, TimerReport{}, ContextReport{}};
  held.timers->groups.resize(2);
  GoTimerGroup& ticker = held.timers->groups[0];
  ticker.kind = GoTimerKind::kChannel;
  ticker.callback = "time.sendTime";
  ticker.period_ns = 1'000'000;
  ticker.calls = {{"main.poll", "/src/poll.go", 12, false, false}, {"main.main", "/src/main.go", 7, true, true}};
  ticker.creator = {"main.start", "/src/main.go", 3, false, false};
  ticker.count = 40;
  ticker.soonest_ns = 8;
  ticker.latest_ns = 9;
  ticker.waited_for = true;
  ticker.not_taken = 2;
  ticker.useless = 40;
  held.timers->groups[1].function = {"main.onExpiry", "/src/expiry.go", 1, false, false};
  held.timers->pending = 75;
  held.timers->torn = 1;
  held.timers->useless_tickers = 40;
  held.timers->useless_timers = 3;
  held.timers->makers = {{{{"main.make", "/src/make.go", 5, false, false}}, 1 << 20}};
  held.contexts->groups.resize(2);
  GoContextGroup& lost = held.contexts->groups[0];
  lost.kind = GoContextKind::kDeadline;
  lost.parents = "deadline < background";
  lost.has_parent = true;
  lost.count = 100;
  lost.children = 50;
  lost.soonest_ns = 10;
  lost.latest_ns = 11;
  lost.waited_for = true;
  lost.calls = ticker.calls;
  lost.creator = ticker.creator;
  lost.lost = 100;
  held.contexts->alive = 202;
  held.contexts->lost = 170;
  held.findings = {{FindingWeight::kPileUp, true, "170 contexts were never cancelled", {"made at main.go:81"}, "dwell go 7 --contexts"},
                   {FindingWeight::kWaste, false, "the collector runs", {}, ""}};
  held.not_seen = {"timers: not laid out as dwell knows them"};
  held.holders = {{GoHolderKind::kGlobal, "main.cache", 0x5a0010, {"main.fill", "/src/fill.go", 9, false, false}, true, 4 << 20, 200, 100, 0, 0, 0},
                  {GoHolderKind::kFrame, "", 0, {"main.collect", "/src/collect.go", 33, false, false}, false, 1 << 20, 7, 0, 12, 3, 17}};
  held.reached_bytes = 6 << 20;
  return held;
}

std::string decode(const std::string& payload, Recording& recording) {
  Cursor in{std::string_view(payload)};
  return decode_go_held(in, recording);
}

TEST(GoHeldChunk, WhatIsWrittenIsReadBack) {
  Recording recording = sample_recording();
  for (GoHeld held : {sample_held(), GoHeld{1, 0, TimerReport{}, std::nullopt}, GoHeld{1, 0, std::nullopt, ContextReport{}}}) {
    std::string payload = encode_go_held(held);
    ASSERT_EQ(decode(payload, recording), "");
    const GoHeld& read = go_of(recording).held.back();
    EXPECT_EQ(encode_go_held(read), payload);
    EXPECT_EQ(read.timers.has_value(), held.timers.has_value());
    EXPECT_EQ(read.contexts.has_value(), held.contexts.has_value());
  }
  const GoHeld& first = go_of(recording).held.front();
  EXPECT_EQ(first.timers->groups[0].calls[1].function, "main.main");
  EXPECT_TRUE(first.timers->groups[0].calls[1].inlined);
  EXPECT_EQ(first.timers->groups[0].useless, 40u);
  EXPECT_EQ(first.timers->groups[1].useless, std::nullopt);
  EXPECT_EQ(first.timers->makers[0].in_use_bytes, 1 << 20);
  EXPECT_EQ(first.contexts->groups[0].parents, "deadline < background");
  EXPECT_EQ(first.contexts->lost, 170u);
  ASSERT_EQ(first.findings.size(), 2u);
  EXPECT_EQ(first.findings[0].weight, FindingWeight::kPileUp);
  EXPECT_TRUE(first.findings[0].proved);
  EXPECT_EQ(first.findings[0].evidence, std::vector<std::string>{"made at main.go:81"});
  EXPECT_EQ(first.findings[1].headline, "the collector runs");
  EXPECT_EQ(first.not_seen.size(), 1u);
  ASSERT_EQ(first.holders.size(), 2u);
  EXPECT_EQ(first.holders[0].name, "main.cache");
  EXPECT_TRUE(first.holders[0].fills);
  EXPECT_EQ(first.holders[0].map_length, 100u);
  EXPECT_EQ(first.holders[1].kind, GoHolderKind::kFrame);
  EXPECT_EQ(first.holders[1].place.line, 33u);
  EXPECT_EQ(first.holders[1].slice_length, 12u);
  EXPECT_EQ(first.holders[1].goroutine, 17u);
  EXPECT_EQ(first.reached_bytes, std::uint64_t{6} << 20);
}

// Before holders were in it, and before findings were.
std::set<std::size_t> sizes_of_older(const GoHeld& held) {
  GoHeld older = held;
  older.holders.clear();
  older.reached_bytes = 0;
  std::size_t without_holders = encode_go_held(older).size() - 2;  // a count of nothing, and 0
  older.findings.clear();
  older.not_seen.clear();
  return {without_holders, encode_go_held(older).size() - 4};
}

TEST(GoHeldChunk, ThatEndsTooEarlyOrLiesIsRefused) {
  std::string payload = encode_go_held(sample_held());
  std::set<std::size_t> older = sizes_of_older(sample_held());
  for (std::size_t size = 0; size < payload.size(); ++size) {
    Recording recording = sample_recording();
    if (older.contains(size)) {
      EXPECT_EQ(decode(payload.substr(0, size), recording), "");
      continue;
    }
    EXPECT_NE(decode(payload.substr(0, size), recording), "") << size;
    EXPECT_TRUE(go_of(recording).held.empty());
  }
  Recording recording = sample_recording();
  GoHeld other = sample_held();
  other.process = static_cast<ProcessSlot>(recording.processes.size());
  EXPECT_NE(decode(encode_go_held(other), recording).find("process"), std::string::npos);
}

}  // namespace
}  // namespace dwell
