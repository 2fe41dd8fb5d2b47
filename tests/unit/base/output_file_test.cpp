// SPDX-License-Identifier: Apache-2.0
// What stands at an output's name is nobody's business of dwell's: no link is followed, nothing is opened or overwritten.
#include "userspace/base/output_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "userspace/base/byte_source.h"
#include "userspace/base/files.h"

namespace dwell {
namespace {

namespace fs = std::filesystem;

class Output : public testing::Test {
 protected:
  Output() { fs::create_directories(folder_); }
  ~Output() override { fs::remove_all(folder_); }
  std::string file(const std::string& name) const { return folder_ + "/" + name; }
  void put(const std::string& name, const std::string& content) const { std::ofstream(file(name)) << content; }
  std::string get(const std::string& name) const { return *read_file(file(name)); }
  std::size_t entries() const { return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_), {})); }
  void expect_refused(const std::string& name, const std::string& says) const {
    for (auto open : {OutputFile::create, OutputFile::replace}) {
      Result<OutputFile> refused = open(file(name), 0600);
      ASSERT_FALSE(refused) << name;
      EXPECT_EQ(refused.error().exit, Exit::kOutput);
      EXPECT_NE(refused.error().what.find(says), std::string::npos) << refused.error().what;
      EXPECT_FALSE(refused.error().hint.empty());
    }
    Result<std::optional<std::string>> kept = set_aside(file(name));
    ASSERT_FALSE(kept) << "it is not moved either";
  }

  std::string folder_ = testing::TempDir() + "dwell-output-" + std::to_string(::getpid());
};

TEST_F(Output, LinksAreNotFollowed) {
  fs::create_symlink(file("nothing"), file("dangling"));
  expect_refused("dangling", "a symbolic link stands there");
  EXPECT_FALSE(fs::exists(file("nothing")));
  put("precious", "precious");
  fs::create_symlink(file("precious"), file("link"));
  expect_refused("link", "a symbolic link stands there");
  EXPECT_EQ(get("precious"), "precious");
  EXPECT_TRUE(fs::is_symlink(file("link")));
}

TEST_F(Output, PipesDevicesAndFoldersAreRefusedAtOnce) {
  ASSERT_EQ(::mkfifo(file("pipe").c_str(), 0600), 0);
  expect_refused("pipe", "a pipe stands there");
  fs::create_directory(file("folder"));
  expect_refused("folder", "a folder stands there");
  EXPECT_FALSE(OutputFile::replace("/dev/null", 0600)) << "a device is not replaced by a file";
  EXPECT_FALSE(OutputFile::create(file("folder") + "/", 0600));
  EXPECT_FALSE(OutputFile::create(file("not/there"), 0600));
}

TEST_F(Output, AFileThatIsThereIsNeverCreatedAgain) {
  put("there", "mine");
  EXPECT_FALSE(OutputFile::create(file("there"), 0600));
  EXPECT_EQ(get("there"), "mine");
}

TEST_F(Output, CreatedFilesHaveTheirNameFromTheStart) {
  Result<OutputFile> out = OutputFile::create(file("new"), 0600);
  ASSERT_TRUE(out) << out.error().what;
  ASSERT_TRUE(out->write("half"));
  EXPECT_EQ(get("new"), "half");
  struct stat status {};
  ASSERT_EQ(::stat(file("new").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(Output, AFileIsReplacedWholeOrNotAtAll) {
  put("there", "old");
  {
    Result<OutputFile> given_up = OutputFile::replace(file("there"), 0644);
    ASSERT_TRUE(given_up && given_up->write("half"));
  }
  EXPECT_EQ(get("there"), "old");
  EXPECT_EQ(entries(), 1u) << "no temporary file stays";
  Result<OutputFile> out = OutputFile::replace(file("there"), 0644);
  ASSERT_TRUE(out && out->write("new") && out->commit());
  EXPECT_EQ(get("there"), "new");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(Output, WhatIsMovedAsideReplacesNothing) {
  EXPECT_EQ(*set_aside(file("r")), std::nullopt);
  for (const char* name : {"r.old", "r.old.2", "r.old.3"}) {
    put("r", name);
    EXPECT_EQ(*set_aside(file("r")), file(name));
  }
  EXPECT_EQ(get("r.old"), "r.old");
  EXPECT_EQ(get("r.old.3"), "r.old.3");
}

TEST_F(Output, UnusedNamesAvoidWhateverStandsThere) {
  EXPECT_EQ(unused_name(file("app.1"), ".dwell"), file("app.1.dwell"));
  put("app.1.dwell", "");
  fs::create_symlink("nowhere", file("app.1.2.dwell"));
  EXPECT_EQ(unused_name(file("app.1"), ".dwell"), file("app.1.3.dwell"));
}

TEST_F(Output, NamesOfOthersAreMadeHarmless) {
  EXPECT_EQ(safe_name("redis-server", "x"), "redis-server");
  EXPECT_EQ(safe_name("../../etc/passwd", "x"), "_._.._etc_passwd");
  EXPECT_EQ(safe_name("-rf", "x"), "_rf");
  EXPECT_EQ(safe_name("..", "x"), "_.");
  EXPECT_EQ(safe_name("a\nb\x1b[31m;\xff", "x"), "a_b__31m__");
  EXPECT_EQ(safe_name("", "recording"), "recording");
}

TEST_F(Output, AFolderThatCantBeWrittenToIsNamed) {
  if (::geteuid() == 0 && ::seteuid(65534) != 0) GTEST_SKIP() << "can't become somebody else";
  Result<OutputFile> refused = OutputFile::create("/proc/1/x", 0600);
  Result<OutputFile> beside = OutputFile::replace("/x", 0600);
  if (::getuid() == 0) ASSERT_EQ(::seteuid(0), 0);
  ASSERT_FALSE(refused);
  ASSERT_FALSE(beside);
  EXPECT_EQ(beside.error().exit, Exit::kOutput);
  EXPECT_NE(beside.error().what.find("/x"), std::string::npos);
}

// Somebody lays out and takes away a link to a file of ours, as fast as they can.
TEST_F(Output, NoRaceLeadsThroughALink) {
  put("precious", "precious");
  std::atomic<bool> stop = false;
  std::thread attacker([&] {
    while (!stop) {
      (void)!::symlink(file("precious").c_str(), file("out").c_str());
      ::unlink(file("out").c_str());
      (void)!::symlink(file("created").c_str(), file("out").c_str());
      ::unlink(file("out").c_str());
    }
  });
  for (int i = 0; i < 2000; ++i) {
    if (Result<OutputFile> out = OutputFile::create(file("out"), 0600)) (void)out->write("written");
    if (Result<OutputFile> out = OutputFile::replace(file("out"), 0600); out && out->write("written")) (void)out->commit();
    if (i % 8 == 0) (void)set_aside(file("out"));
  }
  stop = true;
  attacker.join();
  EXPECT_EQ(get("precious"), "precious");
  EXPECT_FALSE(fs::exists(file("created")));
}

TEST_F(Output, OnlyRegularFilesAreRead) {
  ASSERT_EQ(::mkfifo(file("pipe").c_str(), 0600), 0);
  for (const std::string& path : {file("pipe"), folder_, std::string("/dev/zero")}) {
    Result<ByteSource> refused = ByteSource::open(path);
    ASSERT_FALSE(refused) << path;
    EXPECT_EQ(refused.error().exit, Exit::kBadInput);
    EXPECT_NE(refused.error().what.find("not a regular file"), std::string::npos);
  }
}

TEST_F(Output, AFileThatShrinksWhileItIsReadEndsEarlier) {
  put("file", std::string(100000, 'x'));
  Result<ByteSource> source = ByteSource::open(file("file"));
  ASSERT_TRUE(source);
  EXPECT_EQ(source->read(0, 1000)->size(), 1000u);
  fs::resize_file(file("file"), 50000);
  EXPECT_EQ(source->read(40000, 20000)->size(), 10000u);
  EXPECT_EQ(source->read(60000, 1000)->size(), 0u);
}

}  // namespace
}  // namespace dwell
