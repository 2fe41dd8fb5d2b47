// SPDX-License-Identifier: Apache-2.0
#include "userspace/record/loss_account.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace dwell {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(LossAccount, TellsWhatIsNewSinceTheLastTime) {
  LossAccount losses(1000);
  losses.total(LossKind::kUndecodable, 3);
  EXPECT_THAT(losses.take(5000), ElementsAre(Loss{5000, LossKind::kUndecodable, 3, 4000}));
  losses.total(LossKind::kUndecodable, 3);
  EXPECT_THAT(losses.take(6000), IsEmpty());
  losses.total(LossKind::kUndecodable, 5);
  EXPECT_THAT(losses.take(7000), ElementsAre(Loss{7000, LossKind::kUndecodable, 2, 1000}));
}

TEST(LossAccount, TellsWhenItHappenedAndNotWhenItWasRead) {
  LossAccount losses(0);
  losses.total(LossKind::kAlloc, 10, 2000, 3000);
  EXPECT_THAT(losses.take(26'800), ElementsAre(Loss{3000, LossKind::kAlloc, 10, 1000}));
  losses.total(LossKind::kAlloc, 10, 2000, 3000);  // nothing new
  EXPECT_THAT(losses.take(30'000), IsEmpty());
  losses.total(LossKind::kAlloc, 11, 31'000, 31'000);
  EXPECT_THAT(losses.take(40'000), ElementsAre(Loss{31'000, LossKind::kAlloc, 1, 0}));
}

TEST(LossAccount, AddsUpWhatIsMetOneByOne) {
  LossAccount losses(0);
  losses.add(LossKind::kChildFailed, 500);
  losses.add(LossKind::kChildFailed, 200);
  EXPECT_THAT(losses.take(1000), ElementsAre(Loss{500, LossKind::kChildFailed, 2, 300}));
  losses.add(LossKind::kChildFailed, 1500);
  EXPECT_THAT(losses.take(2000), ElementsAre(Loss{1500, LossKind::kChildFailed, 1, 0}));
}

}  // namespace
}  // namespace dwell
