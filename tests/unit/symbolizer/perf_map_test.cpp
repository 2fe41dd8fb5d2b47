// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/perf_map.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <random>

#include "userspace/base/files.h"

namespace dwell {
namespace {

TEST(PerfMap, NamesTheAddressesOfALine) {
  AddressMap map = parse_perf_map("3ef414c0 398 LazyCompile:~foo bar.js:1\n0x1000 10 x\n");
  ASSERT_NE(map.find(0x3ef414c0), nullptr);
  EXPECT_EQ(map.find(0x3ef414c0)->name, "LazyCompile:~foo bar.js:1");
  EXPECT_NE(map.find(0x3ef414c0 + 0x397), nullptr);
  EXPECT_EQ(map.find(0x3ef414c0 + 0x398), nullptr);
  EXPECT_NE(map.find(0x1008), nullptr);
  EXPECT_EQ(map.find(0xfff), nullptr);
}

TEST(PerfMap, CodeThatIsWrittenOverOlderCodeWins) {
  AddressMap map = parse_perf_map("1000 100 old\n1040 20 new\n1200 10 a\n11f8 20 b\n");
  EXPECT_EQ(map.find(0x103f)->name, "old");
  EXPECT_EQ(map.find(0x1040)->name, "new");
  EXPECT_EQ(map.find(0x105f)->name, "new");
  EXPECT_EQ(map.find(0x1060)->name, "old");
  EXPECT_EQ(map.find(0x1205)->name, "b");
}

TEST(PerfMap, SkipsAndCountsWhatIsNoLine) {
  std::size_t skipped = 0;
  AddressMap map = parse_perf_map("\nzz 1 a\n1000\n1000 10\n1000 0 empty\n1000 10 \nffffffffffffffff 10 wraps\n2000 8 ok",
                                  &skipped);
  EXPECT_EQ(map.size(), 1u);
  EXPECT_NE(map.find(0x2000), nullptr);
  EXPECT_EQ(skipped, 7u);
}

TEST(PerfMap, RandomOverlapsAgreeWithAPaintedLine) {
  std::mt19937 random(5);
  for (int round = 0; round < 100; ++round) {
    AddressMap map;
    std::string painted[256];
    for (int i = 0; i < 40; ++i) {
      unsigned start = random() % 250, length = 1 + random() % (255 - start);
      std::string name = std::to_string(i);
      map.add(start, start + length, name);
      for (unsigned at = start; at < start + length; ++at) painted[at] = name;
    }
    for (unsigned at = 0; at < 256; ++at) {
      const AddressMap::Entry* entry = map.find(at);
      EXPECT_EQ(entry ? entry->name : "", painted[at]);
    }
  }
}

TEST(PerfMap, IsFoundForALiveProcessAndNeverThroughALink) {
  std::string path = "/tmp/perf-" + std::to_string(::getpid()) + ".map";
  ASSERT_TRUE(write_file_atomically(path, "7000 10 jitted\n"));
  Result<AddressMap> map = read_perf_map(::getpid());
  ASSERT_TRUE(map) << map.error().what;
  EXPECT_EQ(map->find(0x7001)->name, "jitted");
  ::unlink(path.c_str());
  ASSERT_EQ(::symlink("/etc/passwd", path.c_str()), 0);
  EXPECT_FALSE(read_perf_map(::getpid()));
  ::unlink(path.c_str());
}

TEST(PerfMap, OfAProcessThatHasEndedIsWhatItLeft) {
  constexpr pid_t kNobody = 0x7ffffffe;  // above any number that a process can have
  std::string path = "/tmp/perf-" + std::to_string(kNobody) + ".map";
  EXPECT_EQ(perf_map_version(kNobody), 0u);
  ASSERT_TRUE(write_file_atomically(path, "7000 10 jitted\n"));
  EXPECT_NE(perf_map_version(kNobody), 0u);
  Result<AddressMap> map = read_perf_map(kNobody);
  ::unlink(path.c_str());
  ASSERT_TRUE(map) << map.error().what;
  EXPECT_EQ(map->size(), 1u);
}

TEST(PerfMap, OfAStrangerIsNotBelieved) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to lay it out as somebody else";
  std::string path = "/tmp/perf-" + std::to_string(::getpid()) + ".map";
  ASSERT_TRUE(write_file_atomically(path, "7000 10 NAME_CHOSEN_BY_NOBODY\n"));
  ASSERT_EQ(::chown(path.c_str(), 65534, 65534), 0);
  Result<AddressMap> map = read_perf_map(::getpid());
  ::unlink(path.c_str());
  ASSERT_FALSE(map);
  EXPECT_NE(map.error().what.find("belongs to user 65534"), std::string::npos) << map.error().what;
}

TEST(PerfMap, OneThatIsTooLargeIsNotEvenRead) {
  std::string path = "/tmp/perf-" + std::to_string(::getpid()) + ".map";
  ASSERT_TRUE(write_file_atomically(path, ""));
  ASSERT_EQ(::truncate(path.c_str(), off_t{10} << 30), 0);
  Result<AddressMap> map = read_perf_map(::getpid());
  ::unlink(path.c_str());
  ASSERT_FALSE(map);
  EXPECT_NE(map.error().what.find("longer than"), std::string::npos) << map.error().what;
}

TEST(Kallsyms, FunctionsEndWhereTheNextBegins) {
  AddressMap map = parse_kallsyms(
      "ffffffff81000000 T _text\n"
      "ffffffff81000040 t do_thing\n"
      "ffffffff81000040 T __do_thing\n"
      "ffffffff81000050 d a_variable\n"
      "ffffffff81000100 t other\t[ext4]\n"
      "garbage\n");
  EXPECT_EQ(map.find(0xffffffff81000050)->name, "do_thing");
  EXPECT_EQ(map.find(0xffffffff81000101)->name, "other [ext4]");
  EXPECT_EQ(map.find(0xffffffff80000000), nullptr);
}

TEST(Kallsyms, HiddenAddressesAreNoNames) {
  EXPECT_EQ(parse_kallsyms("0000000000000000 T _text\n0000000000000000 T start\n").size(), 0u);
}

}  // namespace
}  // namespace dwell
