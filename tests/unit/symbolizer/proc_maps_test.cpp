// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/proc_maps.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "symbolizer/elf_file.h"
#include "userspace/base/unique_fd.h"

namespace dwell {
namespace {

TEST(ParseMaps, ReadsEveryField) {
  std::vector<Mapping> maps = parse_maps("7f0010-7f0020 r-xs 00002000 fe:1f 1234567    /usr/lib/a b.so\n");
  ASSERT_EQ(maps.size(), 1u);
  EXPECT_EQ(maps[0].start, 0x7f0010u);
  EXPECT_EQ(maps[0].end, 0x7f0020u);
  EXPECT_EQ(maps[0].file_offset, 0x2000u);
  EXPECT_EQ(maps[0].device_major, 0xfeu);
  EXPECT_EQ(maps[0].device_minor, 0x1fu);
  EXPECT_EQ(maps[0].inode, 1234567u);
  EXPECT_TRUE(maps[0].readable && !maps[0].writable && maps[0].executable && maps[0].shared);
  EXPECT_EQ(maps[0].path, "/usr/lib/a b.so");
  EXPECT_TRUE(maps[0].is_file());
  EXPECT_FALSE(maps[0].deleted);
}

TEST(ParseMaps, TellsDeletedFilesFromNamesThatLookDeleted) {
  std::vector<Mapping> maps = parse_maps(
      "1000-2000 rw-p 0 0:5 9 /tmp/x (deleted)\n"
      "2000-3000 rw-p 0 0:0 0 [anon: (deleted)\n");
  ASSERT_EQ(maps.size(), 2u);
  EXPECT_TRUE(maps[0].deleted);
  EXPECT_EQ(maps[0].path, "/tmp/x");
  EXPECT_FALSE(maps[1].deleted);
}

TEST(ParseMaps, PutsNewlinesBackIntoPaths) {
  std::vector<Mapping> maps = parse_maps("1000-2000 r--p 0 0:5 9 /tmp/a\\012b\n");
  ASSERT_EQ(maps.size(), 1u);
  EXPECT_EQ(maps[0].path, "/tmp/a\nb");
}

TEST(ParseMaps, AnonymousAndSpecialMappingsHaveNoFile) {
  std::vector<Mapping> maps = parse_maps(
      "7ffd0-7ffd1 rw-p 00000000 00:00 0 \n"
      "7ffe0-7ffe1 r-xp 00000000 00:00 0                  [vdso]");
  ASSERT_EQ(maps.size(), 2u);
  EXPECT_EQ(maps[0].path, "");
  EXPECT_EQ(maps[1].path, "[vdso]");
  EXPECT_FALSE(maps[0].is_file() || maps[1].is_file());
}

TEST(ParseMaps, SkipsAndCountsWhatIsNoMapping) {
  std::size_t skipped = 0;
  std::vector<Mapping> maps = parse_maps(
      "\n"
      "nonsense\n"
      "2000-1000 r--p 0 0:0 0\n"
      "1000-2000\n"
      "1000-2000 r-\n"
      "1000-2000 r--p zz 0:0 0\n"
      "99999999999999999999-2000 r--p 0 0:0 0\n"
      "3000-4000 r--p 0 0:0 0\n",
      &skipped);
  ASSERT_EQ(maps.size(), 1u);
  EXPECT_EQ(maps[0].start, 0x3000u);
  EXPECT_EQ(skipped, 6u);
}

TEST(ParseMaps, EveryTruncationOfALineIsHarmless) {
  std::string line = "7f0010-7f0020 r-xp 00002000 fe:01 1234567    /usr/lib/libc.so.6 (deleted)\n";
  for (std::size_t length = 0; length <= line.size(); ++length) {
    EXPECT_LE(parse_maps(line.substr(0, length)).size(), 1u);
  }
}

TEST(ReadMaps, SeesOurOwnCode) {
  Result<std::vector<Mapping>> maps = read_maps(::getpid());
  ASSERT_TRUE(maps);
  auto here = reinterpret_cast<std::uint64_t>(&parse_maps);
  bool found = false;
  for (const Mapping& mapping : *maps) found |= mapping.executable && mapping.start <= here && here < mapping.end;
  EXPECT_TRUE(found);
}

TEST(ReadMaps, SaysThatThereIsNoSuchProcess) {
  Result<std::vector<Mapping>> maps = read_maps(0x7ffffffe);
  ASSERT_FALSE(maps);
  EXPECT_EQ(maps.error().exit, Exit::kNoTarget);
}

// A file that is mapped and then replaced by another one under the same name.
class ReplacedFile : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("dwell-maps-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
    path_ = folder_ / "file";
    write("old");
    UniqueFd fd(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
    memory_ = ::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE, fd.get(), 0);
    ASSERT_NE(memory_, MAP_FAILED);
  }
  void TearDown() override {
    ::munmap(memory_, 4096);
    std::filesystem::remove_all(folder_);
  }
  void write(const char* content) {
    std::string next = path_.string() + ".new";
    UniqueFd fd(::open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    ASSERT_EQ(::write(fd.get(), content, 3), 3);
    std::filesystem::rename(next, path_);
  }
  Mapping mapping() {
    Result<std::vector<Mapping>> maps = read_maps(::getpid());
    for (Mapping& m : *maps) {
      if (m.start == reinterpret_cast<std::uint64_t>(memory_)) return m;
    }
    return {};
  }
  std::filesystem::path folder_, path_;
  void* memory_ = nullptr;
};

TEST_F(ReplacedFile, IsOpenedAsItIsMapped) {
  write("new");
  Mapping mapped = mapping();
  EXPECT_TRUE(mapped.deleted);
  Result<std::string> path = path_to_open(::getpid(), mapped);
  if (::geteuid() != 0) {
    EXPECT_FALSE(path);
    return;
  }
  ASSERT_TRUE(path) << path.error().what;
  UniqueFd fd(::open(path->c_str(), O_RDONLY | O_CLOEXEC));
  char content[3];
  ASSERT_EQ(::read(fd.get(), content, 3), 3);
  EXPECT_EQ(std::string(content, 3), "old");
}

TEST_F(ReplacedFile, IsRefusedIfOnlyItsPathIsLeft) {
  Mapping mapped = mapping();
  mapped.start += 4096;  // no such entry in map_files
  mapped.end += 4096;
  EXPECT_TRUE(path_to_open(::getpid(), mapped));
  write("new");
  Result<std::string> path = path_to_open(::getpid(), mapped);
  ASSERT_FALSE(path);
  EXPECT_NE(path.error().what.find("replaced"), std::string::npos) << path.error().what;
}

TEST_F(ReplacedFile, AFifoUnderItsNameDoesNotHoldUsUp) {
  Mapping mapped = mapping();
  mapped.start += 4096;
  mapped.end += 4096;
  std::filesystem::remove(path_);
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  EXPECT_FALSE(path_to_open(::getpid(), mapped));
}

TEST(ReadVdso, IsAnElfFileWithTheClockFunctions) {
  Result<std::vector<Mapping>> maps = read_maps(::getpid());
  ASSERT_TRUE(maps);
  for (const Mapping& mapping : *maps) {
    if (mapping.path != "[vdso]") continue;
    Result<std::string> bytes = read_vdso(::getpid(), mapping);
    ASSERT_TRUE(bytes) << bytes.error().what;
    Result<ElfFile> elf = ElfFile::from_bytes(std::move(*bytes), "[vdso]");
    ASSERT_TRUE(elf) << elf.error().what;
    bool found = false;
    for (const ElfSymbol& symbol : elf->symbols()) found |= symbol.name == "__vdso_clock_gettime" && symbol.defined;
    EXPECT_TRUE(found);
    return;
  }
  GTEST_SKIP() << "this machine has no vDSO";
}

}  // namespace
}  // namespace dwell
