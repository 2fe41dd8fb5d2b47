// SPDX-License-Identifier: Apache-2.0
#include "userspace/files/findings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/files/sample_files.h"

namespace dwell::files {
namespace {

using ::testing::HasSubstr;

std::vector<Finding> found(const FilesLook& look) { return findings_of(look).findings; }

TEST(FilesFindings, AProcessWithoutALimitIsNeverNearIt) {
  FilesLook look = sample_files(0);
  for (int i = 0; i < 100; ++i) add_file(look, FileKind::kFile, "/a");
  EXPECT_TRUE(found(look).empty());
  look.limit = 126;
  EXPECT_TRUE(found(look).empty());
  look.limit = 125;
  ASSERT_EQ(found(look).size(), 1u);
  EXPECT_EQ(found(look)[0].weight, FindingWeight::kLimit);
  EXPECT_THAT(found(look)[0].evidence[1], HasSubstr("100 file /a"));
}

TEST(FilesFindings, HalfClosedConnectionsCountOnceNobodyCanBeClosingThem) {
  FilesLook look = sample_files();
  for (int i = 0; i < 9; ++i) add_tcp(look, "CLOSE_WAIT", "10.0.0.7:5432", 200'000'000);
  add_tcp(look, "CLOSE_WAIT", "10.0.0.7:5432", 50'000'000);
  add_tcp(look, "CLOSE_WAIT", "10.0.0.7:5432");
  EXPECT_TRUE(found(look).empty()) << "nine have been so for long enough";
  look.files[9].socket->quiet_ns = 3'600'000'000'000;
  ASSERT_EQ(found(look).size(), 1u);
  EXPECT_EQ(found(look)[0].weight, FindingWeight::kPileUp);
  EXPECT_THAT(found(look)[0].evidence[0], HasSubstr("silent for 200.0 ms to 1 h 0 min"));
  EXPECT_THAT(found(look)[0].evidence[1], HasSubstr("10 of them are to 10.0.0.7:5432"));
}

TEST(FilesFindings, PortsMatterToThoseWhoConnectThere) {
  FilesLook look = sample_files();
  look.ephemeral_ports = 100;
  look.ports = {{"10.0.0.1", "10.0.0.7:5432", 85}, {"10.0.0.1", "10.0.0.8:80", 81}, {"10.0.0.1", "10.0.0.9:80", 79}};
  EXPECT_TRUE(found(look).empty()) << "others use them up";
  add_tcp(look, "ESTABLISHED", "10.0.0.8:80");
  ASSERT_EQ(found(look).size(), 1u);
  EXPECT_THAT(found(look)[0].headline, HasSubstr("81 of 100 ephemeral ports are in use from 10.0.0.1 to 10.0.0.8:80"));
  add_tcp(look, "ESTABLISHED", "10.0.0.9:80");
  EXPECT_EQ(found(look).size(), 1u) << "below four fifths";
}

TEST(FilesFindings, AnAcceptQueueIsFullWhenMoreWaitThanMay) {
  FilesLook look = sample_files();
  SeenFile& listener = add_tcp(look, "LISTEN", "");
  listener.socket->listening = true;
  listener.socket->send_queue = 128;
  listener.socket->receive_queue = 128;
  EXPECT_TRUE(found(look).empty());
  listener.socket->receive_queue = 129;
  EXPECT_EQ(found(look).size(), 1u);
  listener.socket->send_queue = 0;
  EXPECT_TRUE(found(look).empty()) << "how many may wait is not known";
}

TEST(FilesFindings, DeletedFilesCountOnceHoweverOftenTheyAreOpen) {
  FilesLook look = sample_files();
  for (int i = 0; i < 2; ++i) {
    OpenFile& file = add_file(look, FileKind::kDeleted, "/tmp/a (deleted)").file;
    file.size = std::uint64_t{200} << 20;
    file.inode = 7;
  }
  EXPECT_TRUE(found(look).empty()) << "the same 200 MB";
  look.files[1].file.inode = 8;
  EXPECT_EQ(found(look).size(), 1u);
}

TEST(FilesFindings, LimitsOfTheMachine) {
  FilesLook look = sample_files();
  look.system = {799, 1000, 0, 80, 100};
  EXPECT_EQ(found(look).size(), 1u);
  look.system.open = 800;
  EXPECT_EQ(found(look).size(), 2u);
  look.system = {800, 0, 0, 80, 0};
  EXPECT_TRUE(found(look).empty()) << "not known is no limit";
}

}  // namespace
}  // namespace dwell::files
