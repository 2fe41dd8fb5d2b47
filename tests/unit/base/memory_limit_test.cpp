// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/memory_limit.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <new>
#include <vector>

namespace dwell {
namespace {

constexpr std::uint64_t kMegabyte = std::uint64_t{1} << 20;

// In a process of its own, as a limit can't be taken back.
int take_all_memory() {
  choose_memory_limit(300 * kMegabyte, 0.5);
  keep_memory_limit();
  std::vector<std::unique_ptr<char[]>> blocks;
  blocks.reserve(1000);
  std::size_t granted_at = 0;
  try {
    while (blocks.size() < 1000) {
      blocks.push_back(std::make_unique<char[]>(kMegabyte));
      if (out_of_memory() && !granted_at) granted_at = blocks.size();
    }
  } catch (const std::bad_alloc&) {
    std::size_t taken = blocks.size();
    blocks.clear();
    Error error = no_memory("test");
    bool told = error.exit == kExitNoMemory && error.what.find("300.0 MB") != std::string::npos;
    return told && granted_at > 150 && granted_at < taken && taken <= 300 ? 0 : 1;
  }
  return 2;
}

TEST(MemoryLimit, IsKeptAndTheFirstFailureIsGrantedFromAReserve) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the sanitizer reserves terabytes";
#endif
  EXPECT_EXIT(::_exit(take_all_memory()), testing::ExitedWithCode(0), "");
}

TEST(MemoryLimit, WhatIsFreeIsKnown) {
  EXPECT_GT(free_memory(), kMegabyte);
  EXPECT_LT(free_memory(), kMegabyte << 20);
  EXPECT_GT(memory_in_use(), 0u);
}

}  // namespace
}  // namespace dwell
