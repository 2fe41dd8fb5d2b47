// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/spins.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <vector>

namespace dwell {
namespace {

constexpr std::uint64_t kNone = ~std::uint64_t{0};
constexpr std::size_t kDi = 7;

dwell_run_state state_at(std::uint64_t ip, std::uint64_t di = 0) {
  dwell_run_state state{};
  state.ip = ip;
  state.call = kNone;
  state.stack = 1;
  state.registers[kDi] = di;
  return state;
}

// A loop of a load, a test and a jump.
std::vector<dwell_run_state> waiting(std::size_t moments) {
  std::vector<dwell_run_state> states;
  for (std::size_t i = 0; i < moments; ++i) states.push_back(state_at(0x1000 + 4 * (i % 3)));
  return states;
}

TEST(Spins, AThreadThatIsInTheSameStateAgainAndAgainGetsNowhere) {
  std::optional<Spin> spin = find_spin(waiting(60));
  ASSERT_TRUE(spin);
  EXPECT_EQ(spin->seen, 60u);
  EXPECT_EQ(spin->repeated, 60u);
  EXPECT_EQ(spin->places, 3u);
  EXPECT_FALSE(find_spin(waiting(20))) << "too few moments to tell";
}

TEST(Spins, WhatChangesARegisterOrItsStackGetsOn) {
  std::vector<dwell_run_state> counting = waiting(60), storing = waiting(60);
  for (std::size_t i = 0; i < counting.size(); ++i) counting[i].registers[0] = i;
  EXPECT_FALSE(find_spin(counting));
  for (std::size_t i = 0; i < storing.size(); ++i) storing[i].stack = 1 + i;
  EXPECT_FALSE(find_spin(storing));
}

TEST(Spins, PausesThatAreCountedDownRepeatAfterAWhile) {
  std::vector<dwell_run_state> states = waiting(64);
  for (std::size_t i = 0; i < states.size(); ++i) states[i].registers[0] = i * 7 % 16;
  EXPECT_TRUE(find_spin(states));
}

TEST(Spins, AProgramThatIsAtManyPlacesWorksOnSomething) {
  std::vector<dwell_run_state> states;
  for (std::size_t i = 0; i < 64; ++i) states.push_back(state_at(0x1000 + 4 * (i % 32)));
  EXPECT_FALSE(find_spin(states));
}

TEST(Spins, SystemCallsAreWorkButForThoseThatYield) {
  std::vector<dwell_run_state> reading = waiting(60), yielding = waiting(60);
  reading[7].call = SYS_read;
  EXPECT_FALSE(find_spin(reading));
  for (std::size_t i = 0; i < 57; ++i) yielding[i].call = SYS_sched_yield;
  std::optional<Spin> spin = find_spin(yielding);
  ASSERT_TRUE(spin);
  EXPECT_TRUE(spin->yields);
  EXPECT_EQ(spin->repeated, 57u);
}

std::vector<std::byte> code(std::initializer_list<int> bytes) {
  std::vector<std::byte> result;
  for (int byte : bytes) result.push_back(static_cast<std::byte>(byte));
  return result;
}

// What a loop at 0x1000 reads, of which it was met at `met`.
std::optional<std::uint64_t> read_by(const std::vector<std::byte>& loop, std::uint64_t met, std::uint64_t di = 0x7000) {
  return word_it_reads(std::vector{state_at(met, di)}, [&](std::uint64_t address) {
    std::uint64_t at = address - 0x1000;
    return at < loop.size() ? std::span(loop).subspan(at) : std::span<const std::byte>();
  });
}

TEST(Spins, TheMemoryThatALoopReadsIsWhatItWaitsFor) {
  // 0: mov 0x10(%rip),%eax; 6: test %eax,%eax; 8: pause; a: je 0
  EXPECT_EQ(read_by(code({0x8b, 0x05, 0x10, 0, 0, 0, 0x85, 0xc0, 0xf3, 0x90, 0x74, 0xf4}), 0x100a), 0x1016u) << "met behind the pause";
  // 0: lock cmpxchg %edx,(%rdi); 4: jne 0
  EXPECT_EQ(read_by(code({0xf0, 0x0f, 0xb1, 0x17, 0x75, 0xfa}), 0x1004), 0x7000u);
}

TEST(Spins, MemoryThatMovesOrIsNotReadIsNotWhatItWaitsFor) {
  // 0: mov (%rdi),%eax; 2: add $4,%rdi; 6: jmp 0
  EXPECT_FALSE(read_by(code({0x8b, 0x07, 0x48, 0x83, 0xc7, 0x04, 0xeb, 0xf8}), 0x1000));
  EXPECT_FALSE(read_by(code({0x8b, 0x44, 0x24, 0x08, 0xeb, 0xfa}), 0x1000)) << "mov 8(%rsp),%eax";
  EXPECT_FALSE(read_by(code({0x89, 0x07, 0xeb, 0xfc}), 0x1000)) << "mov %eax,(%rdi)";
  EXPECT_FALSE(read_by(code({0xf3, 0x90, 0xeb, 0xfc}), 0x1000)) << "pause";
  EXPECT_FALSE(read_by({}, 0x1000)) << "its code cannot be read";
  // 0: mov (%rdi),%eax; 2: cmp 8(%rdi),%eax; 5: jmp 0
  EXPECT_FALSE(read_by(code({0x8b, 0x07, 0x3b, 0x47, 0x08, 0xeb, 0xf9}), 0x1000)) << "which of two words is not known";
}

}  // namespace
}  // namespace dwell
