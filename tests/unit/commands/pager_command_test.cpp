// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <map>

#include "userspace/commands/pager.h"

namespace dwell {
namespace {

std::string pager_with(const std::map<std::string, std::string>& environment) {
  return pager_command([&](const char* name) {
    auto found = environment.find(name);
    return found == environment.end() ? nullptr : found->second.c_str();
  });
}

TEST(PagerCommand, IsLessUnlessTheUserHasAnother) {
  EXPECT_EQ(pager_with({}), "less -FRX");
  EXPECT_EQ(pager_with({{"PAGER", "more"}}), "more");
  EXPECT_EQ(pager_with({{"PAGER", "more"}, {"DWELL_PAGER", "most -w"}}), "most -w");
}

TEST(PagerCommand, IsNoneWhereTheUserWantsNone) {
  EXPECT_EQ(pager_with({{"PAGER", ""}}), "");
  EXPECT_EQ(pager_with({{"PAGER", "cat"}}), "");
  EXPECT_EQ(pager_with({{"PAGER", "less"}, {"DWELL_PAGER", ""}}), "");
}

}  // namespace
}  // namespace dwell
