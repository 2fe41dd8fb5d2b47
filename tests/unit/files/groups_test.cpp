// SPDX-License-Identifier: Apache-2.0
#include "userspace/files/groups.h"

#include <gtest/gtest.h>

#include "tests/unit/files/sample_files.h"
#include "userspace/files/looker.h"
#include "userspace/files/text.h"

namespace dwell::files {
namespace {

TEST(FileGroups, AreByKindStateAndPeerTheMostFirst) {
  FilesLook look = sample_files();
  add_file(look, FileKind::kFile, "/etc/passwd");
  for (int i = 0; i < 3; ++i) add_tcp(look, "CLOSE_WAIT", "10.0.0.7:5432", 1'000'000'000ull * (i + 1));
  add_tcp(look, "ESTABLISHED", "10.0.0.7:5432");
  std::vector<FileGroup> groups = group_files(look);
  ASSERT_EQ(groups.size(), 3u);
  EXPECT_EQ(groups[0].files.size(), 3u);
  EXPECT_EQ(groups[0].what, "to 10.0.0.7:5432");
  EXPECT_EQ(groups[0].quiet_ns, 3'000'000'000u);
  EXPECT_EQ(descriptor_ranges(look, groups[0].files), "1-3");
  EXPECT_EQ(count_by_kind(look), "TCP 4, file 1");
}

TEST(FileGroups, OfManyFilesInAFolderAreOne) {
  FilesLook look = sample_files();
  for (int i = 0; i < 4; ++i) add_file(look, FileKind::kFile, "/var/log/" + std::to_string(i)).file.size = 100;
  for (int i = 0; i < 3; ++i) add_file(look, FileKind::kFile, "/etc/" + std::to_string(i));
  std::vector<FileGroup> groups = group_files(look);
  ASSERT_EQ(groups.size(), 4u);
  EXPECT_EQ(groups[0].what, "/var/log/*");
  EXPECT_EQ(groups[0].size, 400u);
  EXPECT_EQ(each_alone(look).size(), 7u);
}

TEST(FileGroups, AFileThatIsOpenTwiceHasItsSizeOnce) {
  FilesLook look = sample_files();
  for (int i = 0; i < 2; ++i) {
    OpenFile& file = add_file(look, FileKind::kDeleted, "/tmp/a (deleted)").file;
    file.size = 4096;
    file.inode = 7;
  }
  ASSERT_EQ(group_files(look).size(), 1u);
  EXPECT_EQ(group_files(look)[0].size, 4096u);
}

TEST(FileGroups, APipeSaysWhoHasItsOtherEnd) {
  FilesLook look = sample_files();
  SeenFile& pipe = add_file(look, FileKind::kPipe, "pipe:[9]");
  pipe.file.writable = true;
  pipe.has_other_end = true;
  EXPECT_EQ(group_files(look)[0].what, "read by nobody that can be seen");
  pipe.other_end = {{812, "server", 3, true, false}};
  EXPECT_EQ(group_files(look)[0].what, "read by this process itself");
  pipe.other_end.push_back({900, "worker", 3, true, false});
  pipe.also = {{900, "worker", 4, false, true}};
  EXPECT_EQ(group_files(look)[0].what, "read by this process itself and worker (900); also in worker (900)");
}

TEST(FileGroups, RangesOfDescriptors) {
  FilesLook look = sample_files();
  for (int i = 0; i < 12; ++i) add_file(look, FileKind::kFile, "/a");
  EXPECT_EQ(descriptor_ranges(look, {0, 1, 2, 4, 6, 7, 9, 11}), "0-2, 4, 6-7 and 2 more");
  EXPECT_EQ(descriptor_ranges(look, {5}), "5");
}

TEST(FilesText, BeginsWithHowManyAreOpenOfHowMany) {
  FilesLook look = sample_files(20);
  add_file(look, FileKind::kFile, "/etc/passwd");
  std::string text = files_text(look, {});
  EXPECT_NE(text.find("1 descriptor open of 20 (5.0 %): file 1\n"), std::string::npos) << text;
  look.limit = 0;
  EXPECT_NE(files_text(look, {}).find("1 descriptor open, without a limit: file 1\n"), std::string::npos);
}

TEST(Ports, CountOncePerDestinationAndOnlyWhatWentOut) {
  std::vector<Socket> sockets;
  auto add = [&](std::uint16_t local, const std::string& peer, const std::string& state) {
    Socket& socket = sockets.emplace_back();
    socket.protocol = "TCP";
    socket.state = state;
    socket.local_port = local;
    socket.local = "10.0.0.1:" + std::to_string(local);
    socket.peer = peer;
  };
  add(40000, "10.0.0.7:5432", "ESTABLISHED");
  add(40001, "10.0.0.7:5432", "TIME_WAIT");
  add(40002, "10.0.0.8:5432", "ESTABLISHED");
  add(80, "10.0.0.9:50000", "ESTABLISHED");  // outside of the range
  add(45000, "", "LISTEN");
  sockets.back().listening = true;
  add(45000, "10.0.0.9:50001", "ESTABLISHED");  // came in
  std::vector<PortUse> uses = ports_in_use(SocketTable::of(sockets, {32768, 60999}));
  ASSERT_EQ(uses.size(), 2u);
  EXPECT_EQ(uses[0].to, "10.0.0.7:5432");
  EXPECT_EQ(uses[0].from, "10.0.0.1");
  EXPECT_EQ(uses[0].ports, 2u);
}

}  // namespace
}  // namespace dwell::files
