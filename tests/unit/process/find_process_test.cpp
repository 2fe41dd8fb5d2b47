// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/find_process.h"

#include <gmock/gmock.h>

#include <unistd.h>

#include "userspace/process/process.h"

namespace dwell {
namespace {

using testing::HasSubstr;

const std::vector<NamedProcess> kMachine = {{1, 0, "systemd"},    {700, 1, "redis-server"}, {812, 1, "nginx"},
                                            {813, 812, "nginx"},  {814, 812, "nginx"},      {900, 1, "a-long-name-of-"},
                                            {901, 1, "sleep"},    {902, 1, "sleep"}};

TEST(FindProcess, ByTheNameOfOneAlone) {
  EXPECT_EQ(*find_among("redis-server", kMachine), 700);
  EXPECT_EQ(*find_among("a-long-name-of-a-server", kMachine), 900) << "the kernel keeps 15 bytes";
}

TEST(FindProcess, WhatSeveralAreCalledIsNotGuessed) {
  Result<pid_t> nginx = find_among("nginx", kMachine);
  ASSERT_FALSE(nginx);
  EXPECT_EQ(nginx.error().exit, Exit::kNoTarget);
  EXPECT_THAT(nginx.error().what, HasSubstr("3 are called 'nginx': 812 (parent of others), 813 (worker), 814 (worker)"));
  EXPECT_THAT(find_among("sleep", kMachine).error().what, HasSubstr("2 are called 'sleep': 901, 902"));
  EXPECT_THAT(find_among("nobody", kMachine).error().what, HasSubstr("none is called 'nobody'"));
}

TEST(FindProcess, ANumberIsAProcessId) {
  EXPECT_EQ(*find_process("4711"), 4711) << "whether there is one is told later";
  EXPECT_EQ(find_process("0").error().exit, Exit::kUsage);
  EXPECT_EQ(find_process("99999999999").error().exit, Exit::kUsage);
  EXPECT_EQ(find_process("-5").error().exit, Exit::kUsage);
}

TEST(StatField, IsCountedBehindTheNameWhateverThatHolds) {
  constexpr std::string_view kStat = "42 (a) S 7 (b)) R 41 42 43\n";
  EXPECT_EQ(stat_field(kStat, 3), "R");
  EXPECT_EQ(stat_field(kStat, 4), "41");
  EXPECT_EQ(stat_field(kStat, 9), "");
  EXPECT_EQ(stat_field(kStat, 2), "");
  EXPECT_EQ(stat_field("42", 3), "");
}

}  // namespace
}  // namespace dwell
