// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/waits/waits.h"

#include <gtest/gtest.h>

namespace dwell {
namespace {

TEST(ParseEpoll, ReadsDescriptorsAndTheirWords) {
  std::vector<EpollEntry> entries = parse_epoll(
      "pos:\t0\nflags:\t02\n"
      "tfd:        5 events: 8000201d data:           5cd2f0  pos:0 ino:5f sdev:d\n"
      "tfd:       19 events: 80002019 data: 7f04a1b2c3d40001  pos:0 ino:60 sdev:8\n");
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].fd, 5);
  EXPECT_EQ(entries[0].data, 0x5cd2f0u);
  EXPECT_EQ(entries[1].fd, 19);
  EXPECT_EQ(entries[1].data, 0x7f04a1b2c3d40001u);
}

TEST(ParseEpoll, SkipsWhatItCannotRead) {
  EXPECT_TRUE(parse_epoll("").empty());
  EXPECT_TRUE(parse_epoll("tfd: x data: 10\ntfd:\ndata:\ntfd: 3 data: zz\ntfd: 3").empty());
}

}  // namespace
}  // namespace dwell
