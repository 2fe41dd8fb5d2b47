// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/surroundings.h"

#include <gtest/gtest.h>

namespace dwell {
namespace {

constexpr const char* kPlain =
    "22 27 0:21 / /proc rw,relatime - proc proc rw\n"
    "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard\n";

TEST(MountOption, IsTheValueOfTheFileSystemsOwnOptions) {
  EXPECT_EQ(mount_option(kPlain, "/proc", "hidepid"), "");
  EXPECT_EQ(mount_option("9 1 0:9 / /proc rw,nosuid shared:5 - proc proc rw,gid=4,hidepid=invisible\n",
                         "/proc", "hidepid"),
            "invisible");
  EXPECT_EQ(mount_option("9 1 0:9 / /proc rw - proc proc rw,hidepid=2,subset=pid\n", "/proc", "subset"),
            "pid");
}

TEST(MountOption, IsOfTheTopmostMount) {
  std::string covered = std::string("9 1 0:9 / /proc rw - proc proc rw,hidepid=2\n") + kPlain;
  EXPECT_EQ(mount_option(covered, "/proc", "hidepid"), "");
  std::string covers = std::string(kPlain) + "9 1 0:9 / /proc rw - proc proc rw,hidepid=2\n";
  EXPECT_EQ(mount_option(covers, "/proc", "hidepid"), "2");
}

TEST(MountOption, IsOfThatPlaceOnlyAndOfThatName) {
  EXPECT_EQ(mount_option("9 1 0:9 / /proc/inner rw - proc proc rw,hidepid=2\n", "/proc", "hidepid"), "");
  EXPECT_EQ(mount_option("9 1 0:9 / /proc rw - proc proc rw,hidepid2=2,hidepid\n", "/proc", "hidepid"), "");
}

TEST(MountOption, OfNonsenseIsNothing) {
  EXPECT_EQ(mount_option("", "/proc", "hidepid"), "");
  EXPECT_EQ(mount_option("\n\n9 1 0:9\n/proc /proc /proc /proc /proc\n", "/proc", "hidepid"), "");
}

}  // namespace
}  // namespace dwell
