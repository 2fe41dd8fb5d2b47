// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/open_regular.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace dwell {
namespace {

std::string content_of(const RegularFile& file) {
  std::string text(file.size, '\0');
  return ::pread(file.fd.get(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()) ? text : "?";
}

// root/ is a container's root; beside it lies what belongs to the host.
class OpenRegular : public ::testing::Test {
 protected:
  OpenRegular() {
    char pattern[] = "/tmp/dwell-open-XXXXXX";
    folder_ = ::mkdtemp(pattern);
    std::filesystem::create_directories(folder_ + "/root/lib");
    write("root/lib/inside", "inside");
    write("outside", "outside");
  }
  ~OpenRegular() override { std::filesystem::remove_all(folder_); }
  void write(const std::string& name, const std::string& text) { std::ofstream(folder_ + "/" + name) << text; }
  void link(const std::string& to, const std::string& name) {
    std::filesystem::create_symlink(to, folder_ + "/" + name);
  }
  Result<RegularFile> in_root(const std::string& name) {
    return open_regular(folder_ + "/root" + name, folder_ + "/root");
  }
  std::string folder_;
};

TEST_F(OpenRegular, LinksLeadNowhereButIntoTheRoot) {
  link("/lib/inside", "root/absolute");
  link(folder_ + "/outside", "root/escape");
  link("../../../../../../outside", "root/lib/climb");
  ASSERT_TRUE(in_root("/absolute")) << "an absolute link is one of the root's";
  EXPECT_EQ(content_of(*in_root("/absolute")), "inside");
  EXPECT_FALSE(in_root("/escape"));
  EXPECT_FALSE(in_root("/lib/climb"));
  EXPECT_FALSE(in_root("/../outside"));
  EXPECT_EQ(content_of(*open_regular(folder_ + "/root/escape")), "outside") << "a name of our own may be a link";
}

TEST_F(OpenRegular, OnlyRegularFilesAreOpened) {
  ASSERT_EQ(::mkfifo((folder_ + "/root/fifo").c_str(), 0666), 0);
  // A reader that is not there yet: if the FIFO were opened, this writer would get through.
  EXPECT_FALSE(in_root("/fifo"));
  EXPECT_EQ(::open((folder_ + "/root/fifo").c_str(), O_WRONLY | O_NONBLOCK), -1);
  EXPECT_FALSE(in_root("/lib"));
  EXPECT_FALSE(open_regular("/dev/null"));
  EXPECT_FALSE(in_root("/none"));
}

TEST_F(OpenRegular, TheRootOfAProcessIsOneWithoutBeingNamed) {
  if (::geteuid() != 0) GTEST_SKIP() << "chroot needs root";
  link(folder_ + "/outside", "root/escape");
  pid_t child = ::fork();
  if (child == 0) {
    if (::chroot((folder_ + "/root").c_str()) != 0 || ::chdir("/") != 0) ::_exit(1);
    ::raise(SIGSTOP);
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, WUNTRACED), child);
  ASSERT_TRUE(WIFSTOPPED(status));
  std::string root = "/proc/" + std::to_string(child) + "/root";
  Result<RegularFile> inside = open_regular(root + "/lib/inside");
  Result<RegularFile> escape = open_regular(root + "/escape");
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ASSERT_TRUE(inside) << inside.error().what;
  EXPECT_EQ(content_of(*inside), "inside");
  EXPECT_FALSE(escape);
}

TEST_F(OpenRegular, AnOwnedFileIsOfRootOrOfItsOwner) {
  std::string file = folder_ + "/outside";
  uid_t mine = ::geteuid();
  EXPECT_TRUE(open_owned_regular(file, mine));
  if (mine != 0) return;
  ASSERT_EQ(::chown(file.c_str(), 65534, 65534), 0);
  EXPECT_TRUE(open_owned_regular(file, 65534));
  Result<RegularFile> foreign = open_owned_regular(file, 1000);
  ASSERT_FALSE(foreign);
  EXPECT_THAT(foreign.error().what, ::testing::HasSubstr("belongs to user 65534"));
  link(file, "link");
  EXPECT_FALSE(open_owned_regular(folder_ + "/link", 65534)) << "no link is followed";
}

TEST_F(OpenRegular, AnotherContentIsAnotherVersion) {
  std::uint64_t before = open_regular(folder_ + "/outside")->version;
  EXPECT_EQ(open_regular(folder_ + "/outside")->version, before);
  write("outside", "longer than before");
  EXPECT_NE(open_regular(folder_ + "/outside")->version, before);
}

}  // namespace
}  // namespace dwell
