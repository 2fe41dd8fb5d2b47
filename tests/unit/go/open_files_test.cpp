// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/heap/open_files.h"

#include <gtest/gtest.h>

namespace dwell {
namespace {

GoFileSet files(std::int64_t first, std::int64_t last) {
  GoFileSet set;
  for (std::int64_t descriptor = first; descriptor <= last; ++descriptor)
    set.emplace(0xc000000000 + static_cast<std::uint64_t>(descriptor) * 96, descriptor);
  return set;
}

TEST(OpenFiles, GrowWhereEachLookFindsMoreAndNoneIsClosed) {
  GoOpenFiles grown = open_files_since(files(3, 102), 110, files(3, 122), 1'000'000'000);
  EXPECT_EQ(grown.count, 120u);
  EXPECT_EQ(grown.closed, 0u);
  EXPECT_TRUE(files_grow(grown));
}

TEST(OpenFiles, DoNotGrowWhereAsManyAreClosed) {
  GoOpenFiles turned_over = open_files_since(files(3, 102), 110, files(23, 142), 1'000'000'000);
  EXPECT_EQ(turned_over.closed, 20u);
  EXPECT_FALSE(files_grow(turned_over));
}

TEST(OpenFiles, DoNotGrowAfterASingleStepOrInOneLook) {
  EXPECT_FALSE(files_grow(open_files_since(files(3, 102), 120, files(3, 122), 1'000'000'000)));
  EXPECT_FALSE(files_grow(open_files_since(files(3, 122), 0, files(3, 122), 0)));
}

TEST(OpenFiles, AreFewUpToAPoint) {
  EXPECT_FALSE(files_grow(open_files_since(files(3, 20), 25, files(3, 40), 1'000'000'000)));
  EXPECT_FALSE(files_seem_to_grow(open_files_since(files(3, 20), 25, files(3, 40), 1'000'000'000)));
}

// Another file at the address and number of one that was closed is not told from it; another number is.
TEST(OpenFiles, AtTheSameAddressWithAnotherNumberAreOthers) {
  GoFileSet first = files(3, 62), last = files(3, 102);
  for (auto& [address, descriptor] : last) descriptor += 200;
  EXPECT_EQ(open_files_since(first, 80, last, 1'000'000'000).closed, 60u);
}

}  // namespace
}  // namespace dwell
