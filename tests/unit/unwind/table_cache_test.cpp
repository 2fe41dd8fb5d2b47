// SPDX-License-Identifier: Apache-2.0
#include "userspace/unwind/table_cache.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <fstream>

namespace dwell {
namespace {

UnwindTable small_table() {
  UnwindTable table;
  table.base = 0x1000;
  table.size = 0x5000;
  table.rules = {kNoRule, {8, 0, DWELL_CFA_SP, DWELL_BP_SAME}, {16, -16, DWELL_CFA_BP, DWELL_BP_AT_CFA}};
  table.calls.rows = {{0x10, 1}, {0x123, 2}, {0x4fff, 0}};
  return table;
}

bool same(const UnwindTable& a, const UnwindTable& b) {
  if (a.base != b.base || a.size != b.size || a.rules.size() != b.rules.size()) return false;
  for (std::size_t i = 0; i < a.rules.size(); i++)
    if (!(a.rules[i] == b.rules[i])) return false;
  if (a.calls.rows.size() != b.calls.rows.size()) return false;
  for (std::size_t i = 0; i < a.calls.rows.size(); i++)
    if (a.calls.rows[i].pc != b.calls.rows[i].pc || a.calls.rows[i].rule != b.calls.rows[i].rule)
      return false;
  return true;
}

class TableCacheTest : public testing::Test {
 protected:
  void SetUp() override {
    char folder[] = "/tmp/dwell-cache-test.XXXXXX";
    ASSERT_TRUE(::mkdtemp(folder));
    root_ = folder;
    directory_ = root_ + "/cache";
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  std::string file() const { return directory_ + "/key.unwind"; }

  std::string root_, directory_;
};

TEST_F(TableCacheTest, GivesBackWhatWasStored) {
  TableCache cache(directory_);
  EXPECT_FALSE(cache.load("key"));
  cache.store("key", small_table());
  std::optional<UnwindTable> loaded = cache.load("key");
  ASSERT_TRUE(loaded);
  EXPECT_TRUE(same(*loaded, small_table()));
}

TEST_F(TableCacheTest, SurvivesBeingWiped) {
  TableCache cache(directory_);
  cache.store("key", small_table());
  std::filesystem::remove_all(directory_);
  EXPECT_FALSE(cache.load("key"));
  cache.store("key", small_table());
  EXPECT_TRUE(cache.load("key"));
}

TEST_F(TableCacheTest, IgnoresADirectoryThatOthersCanWrite) {
  TableCache cache(directory_);
  cache.store("key", small_table());
  ::chmod(directory_.c_str(), 0777);
  EXPECT_FALSE(cache.load("key"));
}

TEST_F(TableCacheTest, IgnoresAFileThatOthersCanWriteOrOwn) {
  TableCache cache(directory_);
  cache.store("key", small_table());
  ::chmod(file().c_str(), 0666);
  EXPECT_FALSE(cache.load("key"));
  ::chmod(file().c_str(), 0644);
  EXPECT_TRUE(cache.load("key"));
  if (::geteuid() != 0) return;
  ASSERT_EQ(::chown(file().c_str(), 65534, 65534), 0);
  EXPECT_FALSE(cache.load("key"));
}

TEST_F(TableCacheTest, IgnoresASymbolicLink) {
  TableCache cache(directory_);
  cache.store("key", small_table());
  std::filesystem::rename(file(), directory_ + "/elsewhere");
  std::filesystem::create_symlink(directory_ + "/elsewhere", file());
  EXPECT_FALSE(cache.load("key"));
}

TEST_F(TableCacheTest, KeepsOnlyWhatNobodyElseCanWrite) {
  std::string binary = root_ + "/binary";
  std::ofstream(binary) << "x";
  ::chmod(binary.c_str(), 0755);
  std::string build_id = "0123456789abcdef0123";
  EXPECT_FALSE(TableCache::key_for(binary, build_id).empty());
  EXPECT_TRUE(TableCache::key_for(binary, "").empty());
  ::chmod(binary.c_str(), 0775);
  EXPECT_TRUE(TableCache::key_for(binary, build_id).empty());
}

TEST_F(TableCacheTest, AFileThatWasChangedIsAnotherOneThoughItsBuildIdStays) {
  std::string binary = root_ + "/binary", build_id = "0123456789abcdef0123";
  std::ofstream(binary) << "before";
  std::string before = TableCache::key_for(binary, build_id);
  EXPECT_EQ(TableCache::key_for(binary, build_id), before);
  std::ofstream(binary) << "behind";
  EXPECT_NE(TableCache::key_for(binary, build_id), before) << "of the same size";
}

TEST_F(TableCacheTest, WhatWasUsedLeastRecentlyGoesFirst) {
  std::uint64_t one = encode_table(small_table()).size();
  TableCache cache(directory_, {.bytes = 2 * one, .unused_s = 3600});
  auto used_ago = [&](const char* key, std::int64_t seconds) {
    timespec then[2] = {{::time(nullptr) - seconds, 0}, {::time(nullptr) - seconds, 0}};
    ::utimensat(AT_FDCWD, (directory_ + "/" + key + ".unwind").c_str(), then, 0);
  };
  cache.store("a", small_table());
  used_ago("a", 300);
  cache.store("b", small_table());
  used_ago("b", 200);
  EXPECT_TRUE(cache.load("a")) << "and so is used now";
  cache.store("c", small_table());
  EXPECT_TRUE(cache.load("a"));
  EXPECT_FALSE(cache.load("b"));
  used_ago("a", 7200);
  cache.store("c", small_table());
  EXPECT_FALSE(cache.load("a")) << "not used for too long";
  EXPECT_TRUE(cache.load("c"));
}

TEST(TableCacheFormat, EveryDamagedByteIsNoticed) {
  std::string good = encode_table(small_table());
  ASSERT_TRUE(decode_table(good));
  for (std::size_t at = 0; at < good.size(); at++) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x40);
    EXPECT_FALSE(decode_table(bad)) << "byte " << at;
    EXPECT_FALSE(decode_table(good.substr(0, at))) << "length " << at;
  }
  EXPECT_FALSE(decode_table(good + "x"));
}

// A checksum proves nothing about sense: the writer may have been another one.
TEST(TableCacheFormat, NonsenseWithARightChecksumIsRefused) {
  UnwindTable unsorted = small_table();
  unsorted.calls.rows[1].pc = 0x10;
  EXPECT_FALSE(decode_table(encode_table(unsorted)));
  UnwindTable wild_rule = small_table();
  wild_rule.calls.rows[1].rule = 3;
  EXPECT_FALSE(decode_table(encode_table(wild_rule)));
  UnwindTable wild_kind = small_table();
  wild_kind.rules[1].cfa = DWELL_CFA_KINDS;
  EXPECT_FALSE(decode_table(encode_table(wild_kind)));
  UnwindTable outside = small_table();
  outside.calls.rows[2].pc = 0x5000;
  EXPECT_FALSE(decode_table(encode_table(outside)));
}

}  // namespace
}  // namespace dwell
