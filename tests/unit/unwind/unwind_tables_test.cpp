// SPDX-License-Identifier: Apache-2.0
#include "userspace/unwind/unwind_tables.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

namespace dwell {
namespace {

constexpr ProcessSlot kSlot = 3, kChild = 4;

std::vector<Mapping> own_maps() { return *read_maps(::getpid()); }

UnwindOptions no_cache() {
  UnwindOptions options;
  options.cache_directory = "";
  return options;
}

std::uint64_t here() { return reinterpret_cast<std::uint64_t>(__builtin_return_address(0)); }

TEST(UnwindTables, LoadsTheModulesOfAProcess) {
  UnwindTables tables(no_cache());
  UnwindSync sync = tables.sync(::getpid(), kSlot, own_maps());
  EXPECT_TRUE(sync.changed);
  EXPECT_GE(sync.modules_loaded, 3u);
  EXPECT_TRUE(sync.problems.empty()) << sync.problems[0].path << ": " << sync.problems[0].reason;
  UnwindRule rule = tables.call_rule_at(kSlot, here());
  EXPECT_TRUE(rule.cfa == DWELL_CFA_SP || rule.cfa == DWELL_CFA_BP);
  EXPECT_TRUE(tables.call_rule_at(kSlot, 0x10) == kNoRule);
}

TEST(UnwindTables, ASecondSyncFindsNothingNew) {
  UnwindTables tables(no_cache());
  std::vector<Mapping> maps = own_maps();
  UnwindSync first = tables.sync(::getpid(), kSlot, maps);
  std::uint32_t rows = tables.rows_used();
  UnwindSync second = tables.sync(::getpid(), kSlot, maps);
  EXPECT_FALSE(second.changed);
  EXPECT_EQ(second.modules_loaded, 0u);
  EXPECT_EQ(second.generation, first.generation);
  EXPECT_EQ(tables.rows_used(), rows);
}

TEST(UnwindTables, ProcessesShareTables) {
  UnwindTables tables(no_cache());
  tables.sync(::getpid(), kSlot, own_maps());
  std::uint32_t rows = tables.rows_used();
  EXPECT_EQ(tables.sync(::getpid(), kChild, own_maps()).modules_loaded, 0u);
  EXPECT_EQ(tables.rows_used(), rows);
}

TEST(UnwindTables, WhatArrivesKeepsTheGenerationAndWhatGoesRaisesIt) {
  UnwindTables tables(no_cache());
  std::vector<Mapping> maps = own_maps();
  std::vector<Mapping> without = maps;
  std::erase_if(without, [](const Mapping& m) { return m.path.find("libstdc++") != std::string::npos; });
  ASSERT_LT(without.size(), maps.size());
  std::uint64_t generation = tables.sync(::getpid(), kSlot, without).generation;
  UnwindSync arrived = tables.sync(::getpid(), kSlot, maps);
  EXPECT_TRUE(arrived.changed);
  EXPECT_EQ(arrived.generation, generation);
  EXPECT_EQ(tables.sync(::getpid(), kSlot, without).generation, generation + 1);
}

TEST(UnwindTables, AForkHasTheParentsTablesUntilItEnds) {
  UnwindTables tables(no_cache());
  tables.sync(::getpid(), kSlot, own_maps());
  tables.copy(kSlot, 1234567, kChild);
  EXPECT_TRUE(tables.call_rule_at(kChild, here()) == tables.call_rule_at(kSlot, here()));
  EXPECT_NE(tables.memory().spaces.data()[kChild], tables.memory().spaces.data()[kSlot]);
  tables.drop(kSlot);
  EXPECT_EQ(tables.memory().spaces.data()[kSlot], 0u);
  EXPECT_FALSE(tables.call_rule_at(kChild, here()) == kNoRule);
}

// Stacks are told apart by slot and generation: the next process in the slot must not be taken for this one.
TEST(UnwindTables, TheNextProcessInASlotHasGenerationsOfItsOwn) {
  UnwindTables tables(no_cache());
  std::uint64_t first = tables.sync(::getpid(), kSlot, own_maps()).generation;
  tables.drop(kSlot);
  std::uint64_t second = tables.sync(::getpid(), kSlot, own_maps()).generation;
  EXPECT_GT(second, first);
  tables.drop(kSlot);
  EXPECT_GT(tables.sync(::getpid(), kSlot, own_maps()).generation, second);
}

TEST(UnwindTables, FullRowsComeWhenTheyAreAskedFor) {
  UnwindTables tables(no_cache());
  tables.sync(::getpid(), kSlot, own_maps());
  std::uint32_t rows = tables.rows_used();
  Result<bool> loaded = tables.load_full(kSlot, here());
  ASSERT_TRUE(loaded) << loaded.error().what;
  EXPECT_TRUE(*loaded);
  EXPECT_GT(tables.rows_used(), rows);
  loaded = tables.load_full(kSlot, here());
  ASSERT_TRUE(loaded);
  EXPECT_FALSE(*loaded);
}

TEST(UnwindTables, RepeatedChangesDoNotUseUpTheTables) {
  UnwindTables tables(no_cache());
  std::vector<Mapping> maps = own_maps();
  std::vector<Mapping> without = maps;
  std::erase_if(without, [](const Mapping& m) { return m.path.find("libstdc++") != std::string::npos; });
  tables.sync(::getpid(), kSlot, maps);
  tables.sync(::getpid(), kSlot, without);
  tables.sync(::getpid(), kSlot, maps);
  UnwindMapSizes before = tables.sizes_to_load();
  for (int i = 0; i < 50; i++) {
    tables.sync(::getpid(), kSlot, without);
    tables.sync(::getpid(), kSlot, maps);
  }
  UnwindMapSizes after = tables.sizes_to_load();
  EXPECT_EQ(after.rows, before.rows);
  EXPECT_EQ(after.pages, before.pages);
  EXPECT_EQ(after.mappings, before.mappings);
}

TEST(UnwindTables, SaysWhatCouldNotBeLoaded) {
  std::vector<Mapping> maps = own_maps();
  Mapping ghost =
      *std::find_if(maps.begin(), maps.end(), [](const Mapping& m) { return m.executable && m.is_file(); });
  ghost.start = 0x10000;
  ghost.end = 0x11000;
  ghost.path = "/no/such/file";
  UnwindTables tables(no_cache());
  UnwindSync sync = tables.sync(::getpid(), kSlot, std::vector<Mapping>{ghost});
  ASSERT_EQ(sync.problems.size(), 1u);
  EXPECT_EQ(sync.problems[0].path, "/no/such/file");
  EXPECT_FALSE(sync.problems[0].reason.empty());
  EXPECT_FALSE(tables.sync(::getpid(), kSlot, std::vector<Mapping>{ghost}).changed);
}

// Erlang and .NET map their code from a memfd, which is no ELF file.
TEST(UnwindTables, CodeThatWasGeneratedInAMemfdIsNoProblem) {
  if (::geteuid() != 0) GTEST_SKIP() << "what is mapped of a memfd can only be opened by root";
  int memfd = ::memfd_create("generated", 0);
  ASSERT_EQ(::ftruncate(memfd, 4096), 0);
  void* code = ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, memfd, 0);
  ASSERT_NE(code, MAP_FAILED);
  UnwindTables tables(no_cache());
  UnwindSync sync = tables.sync(::getpid(), kSlot, own_maps());
  EXPECT_TRUE(sync.problems.empty()) << sync.problems[0].path << ": " << sync.problems[0].reason;
  ::munmap(code, 4096);
  ::close(memfd);
}

}  // namespace
}  // namespace dwell
