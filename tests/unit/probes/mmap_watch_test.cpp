// SPDX-License-Identifier: Apache-2.0
#include "userspace/collect/mmap_watch.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>

namespace dwell {
namespace {

// Records as the kernel writes them, put together by hand.
class Records {
 public:
  void mapping(std::uint32_t pid, std::uint32_t protection, std::uint64_t inode, const std::string& path,
               std::uint64_t time_ns) {
    std::string body;
    add(body, pid), add(body, pid);
    add(body, std::uint64_t{0x7f0000001000}), add(body, std::uint64_t{0x5000}), add(body, std::uint64_t{0x2000});
    add(body, std::uint32_t{8}), add(body, std::uint32_t{1});
    add(body, inode), add(body, std::uint64_t{0});
    add(body, protection), add(body, std::uint32_t{2});
    body += path;
    body.resize((body.size() + 8) & ~std::size_t{7}, '\0');
    record(PERF_RECORD_MMAP2, 0, body, pid, time_ns);
  }
  void name(std::uint32_t pid, bool exec) {
    std::string body;
    add(body, pid), add(body, pid);
    body += std::string("sh\0\0\0\0\0\0", 8);
    record(PERF_RECORD_COMM, exec ? PERF_RECORD_MISC_COMM_EXEC : 0, body, pid, 5);
  }
  void lost(std::uint64_t count) {
    std::string body;
    add(body, std::uint64_t{1}), add(body, count);
    record(PERF_RECORD_LOST, 0, body, 0, 5);
  }
  std::span<const std::byte> bytes(std::size_t drop = 0) const {
    return std::as_bytes(std::span(bytes_)).first(bytes_.size() - drop);
  }

 private:
  template <typename T>
  static void add(std::string& to, T value) {
    to.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void record(std::uint32_t type, std::uint16_t misc, std::string body, std::uint32_t pid, std::uint64_t time_ns) {
    add(body, pid), add(body, pid), add(body, time_ns);
    perf_event_header header{type, misc, static_cast<std::uint16_t>(sizeof header + body.size())};
    add(bytes_, header);
    bytes_ += body;
  }
  std::string bytes_;
};

const std::unordered_set<pid_t> kWatched = {7};

TEST(MappingRecords, TellNewCodeOfWatchedProcesses) {
  Records records;
  records.mapping(7, PROT_READ | PROT_EXEC, 99, "/usr/lib/libnew.so", 1234);
  records.mapping(8, PROT_READ | PROT_EXEC, 99, "/usr/lib/other.so", 1234);  // not watched
  records.mapping(7, PROT_READ, 99, "/usr/share/data", 1234);                // no code
  records.mapping(7, PROT_READ | PROT_EXEC, 0, "//anon", 1234);              // no file
  MappingNews news;
  decode_mapping_records(records.bytes(), kWatched, news);
  ASSERT_EQ(news.mappings.size(), 1u);
  const NewMapping& mapping = news.mappings[0];
  EXPECT_EQ(mapping.pid, 7);
  EXPECT_EQ(mapping.path, "/usr/lib/libnew.so");
  EXPECT_EQ(mapping.start, 0x7f0000001000u);
  EXPECT_EQ(mapping.size, 0x5000u);
  EXPECT_EQ(mapping.file_offset, 0x2000u);
  EXPECT_EQ(mapping.inode, 99u);
  EXPECT_EQ(mapping.device_major, 8u);
  EXPECT_EQ(mapping.device_minor, 1u);
  EXPECT_EQ(mapping.time_ns, 1234u);
}

TEST(MappingRecords, TellExecButNotAChangeOfName) {
  Records records;
  records.name(7, false);
  records.name(7, true);
  records.name(8, true);
  MappingNews news;
  decode_mapping_records(records.bytes(), kWatched, news);
  ASSERT_EQ(news.executed.size(), 1u);
  EXPECT_EQ(news.executed[0].pid, 7);
  EXPECT_EQ(news.executed[0].time_ns, 5u);
}

TEST(MappingRecords, TellWhatWasLost) {
  Records records;
  records.lost(3);
  records.lost(4);
  MappingNews news;
  decode_mapping_records(records.bytes(), kWatched, news);
  EXPECT_EQ(news.lost, 7u);
  EXPECT_FALSE(news.empty());
}

TEST(MappingRecords, AreReadToTheLastWholeOne) {
  Records records;
  records.mapping(7, PROT_EXEC, 99, "/a", 1);
  std::size_t whole = records.bytes().size();
  records.mapping(7, PROT_EXEC, 99, "/b", 1);
  for (std::size_t drop = 1; drop < records.bytes().size() - whole; ++drop) {
    MappingNews news;
    decode_mapping_records(records.bytes(drop), kWatched, news);
    EXPECT_EQ(news.mappings.size(), 1u);
  }
}

// Waits for news until a deadline.
bool arrives(MmapWatch& watch, MappingNews& news, auto is_there) {
  for (int i = 0; i < 100; ++i) {
    pollfd waiting{watch.fd(), POLLIN, 0};
    poll(&waiting, 1, 50);
    MappingNews more = watch.take();
    news.mappings.insert(news.mappings.end(), more.mappings.begin(), more.mappings.end());
    news.executed.insert(news.executed.end(), more.executed.begin(), more.executed.end());
    news.lost += more.lost;
    if (is_there(news)) return true;
  }
  return false;
}

class LiveMmapWatch : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
  }
};

TEST_F(LiveMmapWatch, SeesALibraryArriveInAnotherProcess) {
  Result<MmapWatch> watch = MmapWatch::open();
  ASSERT_TRUE(watch) << watch.error().what;
  int go[2];
  ASSERT_EQ(pipe(go), 0);
  pid_t child = fork();
  if (child == 0) {
    char byte;
    close(go[1]);
    if (read(go[0], &byte, 1) == 1) dlopen("libresolv.so.2", RTLD_NOW);
    [[maybe_unused]] ssize_t rest = read(go[0], &byte, 1);
    _exit(0);
  }
  watch->watch(child);
  ASSERT_EQ(write(go[1], "!", 1), 1);
  MappingNews news;
  auto is_there = [](const MappingNews& all) {
    return std::any_of(all.mappings.begin(), all.mappings.end(), [](const NewMapping& mapping) {
      return mapping.path.find("libresolv") != std::string::npos;
    });
  };
  EXPECT_TRUE(arrives(*watch, news, is_there));
  struct stat file{};
  for (const NewMapping& mapping : news.mappings) {
    EXPECT_EQ(mapping.pid, child);
    if (stat(mapping.path.c_str(), &file) == 0) {
      EXPECT_EQ(mapping.inode, file.st_ino);
    }
  }
  close(go[0]);
  close(go[1]);
  waitpid(child, nullptr, 0);
}

TEST_F(LiveMmapWatch, SeesAProcessReplaceItsProgram) {
  Result<MmapWatch> watch = MmapWatch::open();
  ASSERT_TRUE(watch) << watch.error().what;
  int go[2];
  ASSERT_EQ(pipe2(go, O_CLOEXEC), 0);
  pid_t child = fork();
  if (child == 0) {
    char byte;
    close(go[1]);
    if (read(go[0], &byte, 1) == 1) execlp("true", "true", nullptr);
    _exit(1);
  }
  watch->watch(child);
  ASSERT_EQ(write(go[1], "!", 1), 1);
  MappingNews news;
  EXPECT_TRUE(arrives(*watch, news, [&](const MappingNews& all) {
    return !all.executed.empty() && !all.mappings.empty();
  }));
  for (const NewProgram& program : news.executed) EXPECT_EQ(program.pid, child);
  close(go[0]);
  close(go[1]);
  waitpid(child, nullptr, 0);
}

TEST_F(LiveMmapWatch, ABufferThatOverflowsSaysSo) {
  Result<MmapWatch> watch = MmapWatch::open();
  ASSERT_TRUE(watch) << watch.error().what;
  pid_t child = fork();
  if (child == 0) {
    int file = open("/proc/self/exe", O_RDONLY);
    for (int i = 0; i < 5000; ++i) munmap(mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0), 4096);
    _exit(0);
  }
  watch->watch(child);
  waitpid(child, nullptr, 0);
  // At once: the kernel's own word on it comes only with the next record on the same CPU.
  MappingNews news = watch->take();
  EXPECT_GE(news.lost, 1u);
  EXPECT_LT(news.mappings.size(), 5000u);
}

}  // namespace
}  // namespace dwell
