// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/children.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace dwell {
namespace {

using ::testing::HasSubstr;

TEST(Children, AreToldWithWhatToType) {
  EXPECT_EQ(children_note({}, "recorded", "dwell record"), "");
  std::vector<ChildProcess> one = {{31, "nginx", 5}};
  EXPECT_EQ(children_note(one, "recorded", "dwell record"),
            "it has 1 child process that is not recorded: nginx (31); for it: dwell record 31");
  std::vector<ChildProcess> many(10, {31, "nginx", 5});
  std::string note = children_note(many, "watched", "dwell clocks");
  EXPECT_THAT(note, HasSubstr("it has 10 child processes that are not watched: nginx (31, 31, "));
  EXPECT_THAT(note, HasSubstr(" and 2 more; for the busiest: dwell clocks 31"));
  many[2].name = "cron";
  EXPECT_THAT(children_note(many, "watched", "dwell clocks"), HasSubstr("nginx (31, 31, 31, 31, 31, 31, 31), cron (31) and 2 more"));
}

TEST(Children, OfOurOwnAreFound) {
  pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  ASSERT_GT(child, 0);
  std::vector<ChildProcess> found = children_of(::getpid());
  bool there = false;
  for (const ChildProcess& each : found) there = there || each.pid == child;
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_TRUE(there);
  for (const ChildProcess& each : children_of(::getpid())) EXPECT_NE(each.pid, child) << "it has ended";
}

}  // namespace
}  // namespace dwell
