// SPDX-License-Identifier: Apache-2.0
#include "userspace/record/child_account.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace dwell {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(ChildAccount, CountsEachChildOnce) {
  ChildAccount children(true);
  for (int i = 0; i < 6; ++i) children.forked();
  children.followed(8'000'000);
  children.followed(95'300'000);
  children.ended_too_early();
  children.failed("open /proc/7/maps: Permission denied");
  children.failed("open /proc/8/maps: Permission denied");
  children.without_room();
  const ChildCounts& counts = children.counts();
  EXPECT_EQ(counts.followed + counts.ended_too_early + counts.failed + counts.without_room, counts.forked);
}

TEST(ChildAccount, SumsUpAHundredChildrenInTwoSentences) {
  ChildAccount children(true);
  for (int i = 0; i < 100; ++i) {
    children.forked();
    children.followed((i + 5) * 1'000'000);
    children.failed("open /proc/7/maps: Permission denied");
  }
  EXPECT_THAT(children.summary(), ElementsAre(HasSubstr("100 child processes were followed; of each the first 5.0 to 104.0 ms"),
                                              HasSubstr("100 child processes could not be followed: open /proc/7/maps")));
  EXPECT_FALSE(children.is_few());
}

TEST(ChildAccount, SaysNothingOfChildrenThatThereWereNot) { EXPECT_THAT(ChildAccount(true).summary(), IsEmpty()); }

}  // namespace
}  // namespace dwell
