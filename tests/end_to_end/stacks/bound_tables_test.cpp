// SPDX-License-Identifier: Apache-2.0
// UnwindTables whose memory is that of BPF maps.
#include <bpf/bpf.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>

#include "stacks.skel.h"
#include "userspace/unwind/unwind_maps.h"
#include "userspace/unwind/unwind_tables.h"

namespace dwell {
namespace {

constexpr ProcessSlot kSlot = 1;

class BoundTablesTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root for BPF";
    UnwindOptions options;
    options.cache_directory = "";
    tables_ = std::make_unique<UnwindTables>(options);
    maps_ = *read_maps(::getpid());
    without_ = maps_;
    std::erase_if(without_, [](const Mapping& m) { return m.path.find("libstdc++") != std::string::npos; });
  }
  void TearDown() override {
    if (skeleton_) stacks::destroy(skeleton_);
  }

  void load(UnwindMapSizes sizes) {
    skeleton_ = stacks::open();
    ASSERT_TRUE(skeleton_);
    ASSERT_TRUE(prepare_unwind_maps(*skeleton_, sizes));
    ASSERT_EQ(stacks::load(skeleton_), 0);
    Result<void> bound = tables_->bind(unwind_map_fds(*skeleton_), sizes);
    ASSERT_TRUE(bound) << bound.error().what;
  }
  // As a BPF program sees it.
  dwell_unwind_space published() const {
    std::uint64_t index = 0;
    dwell_unwind_space space = {};
    __u32 key = kSlot;
    EXPECT_EQ(bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.unwind_spaces), &key, &index), 0);
    key = static_cast<__u32>(index);
    EXPECT_EQ(bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.unwind_mappings), &key, &space), 0);
    return space;
  }

  std::unique_ptr<UnwindTables> tables_;
  std::vector<Mapping> maps_, without_;
  stacks* skeleton_ = nullptr;
};

TEST_F(BoundTablesTest, WhatWasLoadedBeforeIsThereAfterwards) {
  tables_->sync(::getpid(), kSlot, without_);
  load(tables_->sizes_to_load());
  __u32 before = published().count;
  EXPECT_GE(before, 3u);
  EXPECT_TRUE(tables_->sync(::getpid(), kSlot, maps_).changed);
  EXPECT_GT(published().count, before);
  EXPECT_GT(published().publication, 1u);
}

TEST_F(BoundTablesTest, ChangesForEverFitIntoSmallMaps) {
  tables_->sync(::getpid(), kSlot, maps_);
  UnwindMapSizes sizes = tables_->sizes_to_load();
  sizes.mappings = 64;  // room for two lists, not for three hundred
  load(sizes);
  for (int i = 0; i < 150; i++) {
    EXPECT_TRUE(tables_->sync(::getpid(), kSlot, without_).problems.empty());
    EXPECT_TRUE(tables_->sync(::getpid(), kSlot, maps_).problems.empty());
  }
  EXPECT_EQ(published().generation, 151u);
}

TEST_F(BoundTablesTest, SaysWhenTheRowsAreFull) {
  tables_->sync(::getpid(), kSlot, without_);
  UnwindMapSizes sizes = tables_->sizes_to_load();
  sizes.rows = tables_->rows_used() + 8;
  load(sizes);
  UnwindSync sync = tables_->sync(::getpid(), kSlot, maps_);
  ASSERT_EQ(sync.problems.size(), 1u);
  EXPECT_NE(sync.problems[0].reason.find("no room"), std::string::npos) << sync.problems[0].reason;
}

TEST_F(BoundTablesTest, FullRowsThatDoNotFitAreAskedForOnce) {
  tables_->sync(::getpid(), kSlot, maps_);
  UnwindMapSizes sizes = tables_->sizes_to_load();
  sizes.rows = tables_->rows_used() + 8;
  load(sizes);
  auto pc = reinterpret_cast<std::uint64_t>(__builtin_return_address(0));
  Result<bool> full = tables_->load_full(kSlot, pc);
  ASSERT_FALSE(full);
  EXPECT_NE(full.error().what.find("no room"), std::string::npos) << full.error().what;
  full = tables_->load_full(kSlot, pc);
  ASSERT_TRUE(full) << full.error().what;
  EXPECT_FALSE(*full);
}

}  // namespace
}  // namespace dwell
