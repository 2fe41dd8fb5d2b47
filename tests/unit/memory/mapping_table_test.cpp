// SPDX-License-Identifier: Apache-2.0
// MappingTable beside a map of single pages.
#include "userspace/memory/mapping_table.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

namespace dwell {
namespace {

TEST(MappingTable, AgreesWithAMapOfPages) {
  std::mt19937_64 random(7);
  MappingTable table;
  std::map<std::uint64_t, std::uint32_t> pages;  // page -> series, each series one mapping
  std::map<std::uint32_t, bool> gone;
  for (std::uint32_t series = 0; series < 3000; ++series) {
    std::uint64_t start = random() % 60, end = start + 1 + random() % 12;
    std::uint64_t removed_pages = 0, model_pages = 0;
    for (const MappingTable::Removed& removed : table.remove(start, end)) {
      removed_pages += removed.bytes;
      if (removed.last) gone[removed.series] = true;
    }
    for (std::uint64_t page = start; page < end; ++page) model_pages += pages.erase(page);
    ASSERT_EQ(removed_pages, model_pages);
    if (random() % 3) {
      table.insert(start, end, series, series, 1);
      gone[series] = false;
      for (std::uint64_t page = start; page < end; ++page) pages[page] = series;
    }
    std::map<std::uint64_t, std::uint32_t> told;
    std::set<std::uint32_t> firsts;
    table.for_each([&](std::uint64_t from, const MappingTable::Piece& piece, bool part) {
      for (std::uint64_t page = from; page < piece.end; ++page) told[page] = piece.series;
      if (!part) {
        EXPECT_TRUE(firsts.insert(piece.series).second) << "a mapping counts once";
      }
    });
    ASSERT_EQ(told, pages);
    for (const auto& [mapping, is_gone] : gone) ASSERT_EQ(firsts.contains(mapping), !is_gone) << mapping;
  }
}

TEST(MappingTable, KnowsWhoseAnAddressIs) {
  MappingTable table;
  table.insert(10, 20, 5, 0, 1);
  EXPECT_EQ(table.series_at(9), std::nullopt);
  EXPECT_EQ(table.series_at(10), 5u);
  EXPECT_EQ(table.series_at(19), 5u);
  EXPECT_EQ(table.series_at(20), std::nullopt);
}

}  // namespace
}  // namespace dwell
