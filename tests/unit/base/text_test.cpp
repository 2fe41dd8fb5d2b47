// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/text.h"

#include <gtest/gtest.h>

namespace dwell {
namespace {

TEST(Text, BytesReadAsAPersonWritesThem) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(1023), "1023 B");
  EXPECT_EQ(human_bytes(1536), "1.5 KB");
  EXPECT_EQ(human_bytes(-5.0 * 1024 * 1024), "-5.0 MB");
  EXPECT_EQ(human_bytes(1048575), "1.0 MB") << "never 1024.0 KB";
}

TEST(Text, CountsKeepThreeDigits) {
  EXPECT_EQ(human_count(999), "999");
  EXPECT_EQ(human_count(1234567), "1.23M");
  EXPECT_EQ(human_count(45600), "45.6k");
}

TEST(Text, DurationsUseTwoUnitsAtMost) {
  EXPECT_EQ(human_duration(11'520'000'000'000), "3 h 12 min");
  EXPECT_EQ(human_duration(850), "850 ns");
  EXPECT_EQ(human_duration(61'000'000'000), "1 min 1 s");
}

TEST(Text, SplitKeepsEmptyParts) {
  EXPECT_EQ(split("a,,b", ','), (std::vector<std::string_view>{"a", "", "b"}));
}

TEST(NearestOf, IsALikelyMisspellingOrNothing) {
  const std::vector<std::string> commands = {"record", "report", "export", "diff", "threads"};
  EXPECT_EQ(nearest_of("recrod", commands), "record");
  EXPECT_EQ(nearest_of("thread", commands), "threads");
  EXPECT_EQ(nearest_of("dif", commands), "diff");
  EXPECT_EQ(nearest_of("banana", commands), "");
  EXPECT_EQ(nearest_of("", commands), "");
}

}  // namespace
}  // namespace dwell
