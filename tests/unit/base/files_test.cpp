// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

namespace dwell {
namespace {

struct TemporaryFolder {
  std::string path = testing::TempDir() + "dwell-files-" + std::to_string(::getpid());
  TemporaryFolder() { std::filesystem::create_directories(path); }
  ~TemporaryFolder() { std::filesystem::remove_all(path); }
};

TEST(Files, AFailedWriteLeavesTheGoodFileAlone) {
  TemporaryFolder folder;
  std::string path = folder.path + "/out";
  ASSERT_TRUE(write_file_atomically(path, "good"));
  // A folder stands where the new content would have to be renamed to.
  std::filesystem::create_directories(folder.path + "/taken/inner");
  Result<void> refused = write_file_atomically(folder.path + "/taken", "bad");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().what.find("/taken"), std::string::npos) << refused.error().what;
  EXPECT_EQ(*read_file(path), "good");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path), {}), 2) << "no temporary is left";
}

TEST(Files, AFileOverTheLimitIsAnErrorNotATruncation) {
  TemporaryFolder folder;
  ASSERT_TRUE(write_file_atomically(folder.path + "/f", "12345"));
  EXPECT_FALSE(read_file(folder.path + "/f", 4));
  EXPECT_EQ(*read_file(folder.path + "/f", 5), "12345");
}

TEST(Files, AMissingFileIsNamed) {
  Result<std::string> result = read_file("/nowhere/at/all");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().what, "open /nowhere/at/all: No such file or directory");
}

}  // namespace
}  // namespace dwell
