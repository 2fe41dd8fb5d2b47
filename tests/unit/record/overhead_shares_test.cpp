// SPDX-License-Identifier: Apache-2.0
#include "userspace/record/overhead_shares.h"

#include <gtest/gtest.h>

#include <memory>

namespace dwell {
namespace {

constexpr double kBudget = 0.02;
constexpr std::uint64_t kStep = 250'000'000;

// A recording of memory, page faults and goroutines, of a program that uses one CPU.
class OneBudget : public ::testing::Test {
 protected:
  std::shared_ptr<OverheadShares::Part> memory_, faults_, waits_;
  OverheadShares shares_{kBudget};
  std::uint64_t now_ns_ = 1'000'000'000, cpu_ns_ = 0;

  void SetUp() override {
    memory_ = shares_.join("memory", 8, kBudget);
    faults_ = shares_.join("page faults", 3, 1);
    waits_ = shares_.join("goroutines' waits", 3, kBudget);
    shares_.update(now_ns_, cpu_ns_);
  }

  // Each part takes so much of the CPU time, or what it may if that is less.
  void pass(double seconds, double memory, double faults, double waits) {
    for (double passed = 0; passed < seconds; passed += 0.25) {
      now_ns_ += kStep;
      cpu_ns_ += kStep;
      spend(*memory_, memory), spend(*faults_, faults), spend(*waits_, waits);
      shares_.update(now_ns_, cpu_ns_);
    }
  }
  static void spend(OverheadShares::Part& part, double wanted) {
    part.cost_ns += static_cast<std::uint64_t>(std::min(wanted, part.fixed ? wanted : part.share.load()) * kStep);
  }
  double sum() const { return memory_->share + faults_->share + waits_->share; }
};

TEST_F(OneBudget, IsMemorysWhereNobodyElseNeedsIt) {
  pass(10, 1, 0, 0);
  EXPECT_NEAR(memory_->share, kBudget, 0.0001);
}

TEST_F(OneBudget, IsSharedByWorthWhereAllNeedIt) {
  pass(10, 1, 1, 1);
  EXPECT_NEAR(memory_->share, kBudget * 8 / 14, 0.0005);
  EXPECT_NEAR(faults_->share, kBudget * 3 / 14, 0.0005);
  EXPECT_NEAR(waits_->share, kBudget * 3 / 14, 0.0005);
  EXPECT_NEAR(sum(), kBudget, 0.001);
}

TEST_F(OneBudget, IsLentWhereMemoryDoesNotNeedIt) {
  pass(10, 0, 0, 1);
  EXPECT_GT(waits_->share, kBudget * 0.45);
  EXPECT_LT(faults_->share + waits_->share, kBudget * 1.01);
}

TEST_F(OneBudget, IsMemorysAgainWithinASecond) {
  pass(10, 0, 1, 1);
  pass(1, 1, 1, 1);
  EXPECT_LT(faults_->share + waits_->share, kBudget * 0.7) << "they had all of it";
  EXPECT_LT(sum(), kBudget * 1.1);
}

TEST_F(OneBudget, IsNotExceededInAnySecondWhoeverComesWhen) {
  std::uint64_t before = 0;
  for (int second = 0; second < 40; ++second) {
    bool by_turns = second % 4 < 2;
    pass(1, by_turns ? 1 : 0, second % 3 ? 1 : 0, by_turns ? 0 : 1);
    std::uint64_t spent = memory_->cost_ns + faults_->cost_ns + waits_->cost_ns;
    if (second > 0) EXPECT_LT(static_cast<double>(spent - before), 1.25 * kBudget * 1e9) << "second " << second;
    before = spent;
  }
}

TEST_F(OneBudget, LeavesMemoryATenthWhateverTheOthersCost) {
  std::shared_ptr<OverheadShares::Part> pairs = shares_.join_fixed("pairs");
  for (int i = 0; i < 40; ++i) spend(*pairs, 0.5), pass(0.25, 1, 0, 0);
  EXPECT_NEAR(memory_->share, kBudget / 10, 0.0001);
  EXPECT_EQ(pairs->share, 1) << "it cannot be made cheaper";
}

TEST_F(OneBudget, TakesWhatAPartCostsBeyondItsShareFromMemory) {
  for (int i = 0; i < 40; ++i) faults_->cost_ns += static_cast<std::uint64_t>(0.01 * kStep), pass(0.25, 1, 0, 0);
  EXPECT_NEAR(memory_->share, kBudget / 2, 0.001);
}

TEST(NoBudget, LeavesEachPartItsOwn) {
  OverheadShares shares(0);
  auto memory = shares.join("memory", 8, 0.02), faults = shares.join("page faults", 3, 1);
  shares.update(1'000'000'000, 0);
  EXPECT_EQ(memory->share, 0.02);
  EXPECT_EQ(faults->share, 1);
}

TEST(OneBudgetOfAnIdleProgram, CountsATenthOfACpu) {
  OverheadShares shares(kBudget);
  auto memory = shares.join("memory", 8, kBudget), faults = shares.join("page faults", 3, 1);
  shares.update(1'000'000'000, 0);
  faults->cost_ns = 100'000;  // in a second in which the program did nothing
  shares.update(2'000'000'000, 0);
  EXPECT_LT(faults->used, 0.002);
  EXPECT_GT(memory->share, kBudget * 0.9);
}

}  // namespace
}  // namespace dwell
