// SPDX-License-Identifier: Apache-2.0
#include "userspace/views/source_lines.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace dwell {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

class SourceFolder : public testing::Test {
 protected:
  SourceFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "dwell-sources-XXXXXX").string();
    root_ = ::mkdtemp(name.data());
    folder_ = root_ + "/project";
    std::filesystem::create_directories(folder_ + "/src/cache");
  }
  ~SourceFolder() override { std::filesystem::remove_all(root_); }

  std::string write(const std::string& below, const std::string& text) {
    std::ofstream(root_ + "/" + below) << text;
    return root_ + "/" + below;
  }
  static std::string numbered(int lines) {
    std::string text;
    for (int i = 1; i <= lines; ++i) text += "line " + std::to_string(i) + "\n";
    return text;
  }

  std::string root_, folder_;
};

TEST_F(SourceFolder, HasLinesAroundThePlace) {
  write("project/src/cache/cache.cpp", numbered(100));
  std::optional<SourceExcerpt> found = SourceLines({folder_}).around("src/cache/cache.cpp", 50);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->path, folder_ + "/src/cache/cache.cpp");
  EXPECT_EQ(found->first, 50 - SourceLines::kLinesAround);
  ASSERT_THAT(found->lines, SizeIs(2 * SourceLines::kLinesAround + 1));
  EXPECT_EQ(found->lines[SourceLines::kLinesAround], "line 50");
  EXPECT_GT(found->modified_unix_ns, 1'600'000'000'000'000'000u);
}

TEST_F(SourceFolder, IsCutAtBothEndsOfTheFile) {
  write("project/a.c", "one\ntwo\r\nthree");
  SourceLines sources({folder_});
  EXPECT_THAT(sources.around("a.c", 1)->lines, ElementsAre("one", "two", "three"));
  EXPECT_THAT(sources.around("a.c", 3)->lines, ElementsAre("one", "two", "three"));
  EXPECT_FALSE(sources.around("a.c", 4)) << "the file has no such line: it is another one";
  EXPECT_FALSE(sources.around("a.c", 0));
}

TEST_F(SourceFolder, IsFoundThoughItWasBuiltElsewhere) {
  write("project/src/cache/cache.cpp", numbered(9));
  SourceLines sources({folder_});
  EXPECT_TRUE(sources.around("/home/builder/work/project/src/cache/cache.cpp", 5));
  EXPECT_TRUE(sources.around("/usr/./src/../src/cache/cache.cpp", 5));
  EXPECT_TRUE(sources.around("../../project/src/cache/cache.cpp", 5));
  EXPECT_TRUE(sources.around(folder_ + "/src/cache/cache.cpp", 5));
  EXPECT_FALSE(sources.around("/home/builder/src/cache/other.cpp", 5));
}

TEST_F(SourceFolder, NothingOutsideOfItIsRead) {
  write("secret.c", "secret\n");
  std::filesystem::create_symlink(root_ + "/secret.c", folder_ + "/link.c");
  std::filesystem::create_symlink("../secret.c", folder_ + "/up.c");
  SourceLines sources({folder_});
  for (const char* name : {"../secret.c", "link.c", "up.c", "src/../../secret.c"})
    EXPECT_FALSE(sources.around(name, 1)) << name;
  EXPECT_FALSE(sources.around(root_ + "/secret.c", 1));
}

TEST_F(SourceFolder, NothingButSourcesIsRead) {
  write("project/id_rsa", "key\n");
  write("project/.c", "hidden\n");
  write("project/binary.c", std::string("a\0b\n", 4));
  write("project/empty.c", "");
  ASSERT_EQ(::mkfifo((folder_ + "/fifo.c").c_str(), 0600), 0);
  std::filesystem::create_directory(folder_ + "/folder.c");
  SourceLines sources({folder_});
  for (const char* name : {"id_rsa", ".c", "binary.c", "empty.c", "fifo.c", "folder.c", "", "/", ".."})
    EXPECT_FALSE(sources.around(name, 1)) << name;
}

TEST_F(SourceFolder, LongLinesAreCutBetweenCharacters) {
  std::string text;
  for (int i = 0; i < 200; ++i) text += "ä";
  write("project/long.c", "x" + text + "\n");
  std::string line = SourceLines({folder_}).around("long.c", 1)->lines.front();
  EXPECT_LE(line.size(), SourceLines::kLineBytes + std::string("…").size());
  EXPECT_TRUE(line.ends_with("ä…"));
}

TEST_F(SourceFolder, AFileThatIsTooLargeIsNotRead) {
  std::string path = write("project/large.c", "x\n");
  std::filesystem::resize_file(path, SourceLines::kFileBytes + 1);
  EXPECT_FALSE(SourceLines({folder_}).around("large.c", 1));
}

}  // namespace
}  // namespace dwell
