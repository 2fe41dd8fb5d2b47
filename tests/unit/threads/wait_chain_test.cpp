// SPDX-License-Identifier: Apache-2.0
// Circles through processes, of chains that are made up.
#include "userspace/threads/wait_chain.h"

#include <gtest/gtest.h>

#include <csignal>

namespace dwell {
namespace {

struct MadeUpChain {
  WaitChain chain;
  MadeUpChain& process(std::uint32_t pid, bool whole = true, std::uint64_t signals = 0) {
    chain.processes.push_back({pid, whole, signals});
    return *this;
  }
  ChainWait& wait(std::uint32_t pid, std::vector<std::uint32_t> wakers) {
    ChainWait& wait = chain.waits.emplace_back();
    wait.pid = pid;
    wait.tid = 100 * pid + static_cast<Tid>(chain.waits.size());
    wait.wakers = std::move(wakers);
    wait.settled = true;
    return wait;
  }
  std::vector<ProcessCircle> circles() const { return find_process_circles(chain); }
};

// 1 waits for 2, which writes into a pipe that only 1 reads.
MadeUpChain two() {
  MadeUpChain made;
  made.process(1).process(2);
  made.wait(1, {2});
  made.wait(2, {1}).blocked_output = true;
  return made;
}

constexpr std::uint64_t bit(int signal) { return std::uint64_t{1} << (signal - 1); }

TEST(ProcessCircles, TwoThatWaitForEachOtherAreOneAndProved) {
  std::vector<ProcessCircle> circles = two().circles();
  ASSERT_EQ(circles.size(), 1u);
  EXPECT_EQ(circles[0].processes, (std::vector<std::uint32_t>{1, 2}));
  EXPECT_EQ(circles[0].waits.size(), 2u);
  EXPECT_EQ(circles[0].unproved, "");
}

TEST(ProcessCircles, EveryoneWhoCouldEndAWaitHasToBeStuck) {
  MadeUpChain made = two();
  made.chain.waits[1].wakers.push_back(3);
  EXPECT_TRUE(made.circles().empty()) << "nothing is known of the third process";
  made.process(3);
  made.wait(3, {1}).settled = false;
  EXPECT_TRUE(made.circles().empty()) << "it sleeps for a time, say";
  made.chain.waits[2].settled = true;
  EXPECT_EQ(made.circles()[0].processes.size(), 3u);
}

TEST(ProcessCircles, EveryThreadOfAProcessCounts) {
  MadeUpChain made = two();
  made.wait(1, {}).settled = true;
  EXPECT_TRUE(made.circles().empty()) << "a thread that waits for nobody that is known may go on";
  made.chain.waits[2].wakers = {1};
  ASSERT_EQ(made.circles().size(), 1u);
  EXPECT_EQ(made.circles()[0].others.size(), 1u);
  made.chain.processes[1].whole = false;
  EXPECT_TRUE(made.circles().empty()) << "threads that were not seen";
}

TEST(ProcessCircles, AWaitThatIsNotSettledBreaksThem) {
  for (std::size_t i : {0u, 1u}) {
    MadeUpChain made = two();
    made.chain.waits[i].settled = false;
    EXPECT_TRUE(made.circles().empty());
  }
}

TEST(ProcessCircles, WhatIsNotProvedOfOneWaitIsNotProvedOfTheCircle) {
  MadeUpChain made = two();
  made.chain.waits[0].unproved = "others may open the FIFO";
  EXPECT_EQ(made.circles()[0].unproved, "others may open the FIFO");
}

TEST(ProcessCircles, NorWhatIsNotProvedOfWhatTheyWaitForBesides) {
  MadeUpChain made = two();
  made.chain.waits[1].wakers.push_back(3);
  made.process(3).process(4);
  made.wait(3, {4});
  made.wait(4, {3}).unproved = "a TCP connection may be reset";
  std::vector<ProcessCircle> circles = made.circles();
  ASSERT_EQ(circles.size(), 2u);
  EXPECT_EQ(circles[0].processes, (std::vector<std::uint32_t>{1, 2}));
  EXPECT_EQ(circles[0].unproved, "a TCP connection may be reset");
}

TEST(ProcessCircles, SignalsThatPeopleSendMatterOnlyWhereNobodyHasAnythingToSay) {
  MadeUpChain made = two();
  made.chain.processes[0].handled_signals = bit(SIGINT) | bit(SIGTERM);
  EXPECT_EQ(made.circles()[0].unproved, "");
  EXPECT_EQ(made.circles()[0].signals, bit(SIGINT) | bit(SIGTERM));
  made.chain.waits[1].blocked_output = false;
  EXPECT_NE(made.circles()[0].unproved, "") << "a master that waits for SIGTERM, and a worker that waits for work";
  made.chain.waits[1].blocked_output = true;
  made.chain.processes[1].handled_signals = bit(SIGALRM);
  EXPECT_NE(made.circles()[0].unproved, "") << "a timer may send it";
}

TEST(ProcessCircles, OneProcessAloneIsNone) {
  MadeUpChain made;
  made.process(1);
  made.wait(1, {1});
  EXPECT_TRUE(made.circles().empty());
  EXPECT_TRUE(find_process_circles({}).empty());
}

TEST(ProcessCircles, WhoWaitsBehindACircleIsNotInIt) {
  MadeUpChain made;
  made.process(9).process(1).process(2);
  made.wait(9, {1});
  made.wait(1, {2});
  made.wait(2, {1});
  ASSERT_EQ(made.circles().size(), 1u);
  EXPECT_EQ(made.circles()[0].processes, (std::vector<std::uint32_t>{1, 2}));
}

}  // namespace
}  // namespace dwell
