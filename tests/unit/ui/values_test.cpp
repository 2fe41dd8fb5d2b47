// SPDX-License-Identifier: Apache-2.0
#include "ui/values.h"

#include <gtest/gtest.h>

#include <limits>

namespace dwell {
namespace {

TEST(Values, DigitsAreGroupedByThousands) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(-1234567), "-1,234,567");
  EXPECT_EQ(grouped(-999), "-999");
}

TEST(Values, TheUnitDecides) {
  EXPECT_EQ(format_value(1536, "bytes"), "1.5 KB");
  EXPECT_EQ(format_value(1500, "count"), "1,500");
  EXPECT_EQ(format_value(1500, "nanoseconds"), "1.5 us");
  EXPECT_EQ(format_value(-1500, "nanoseconds"), "-1.5 us");
  EXPECT_EQ(format_value(12, "threads"), "12 threads");
  EXPECT_EQ(format_value(std::numeric_limits<std::int64_t>::min(), "nanoseconds").front(), '-');
}

TEST(Values, GrowthHasASign) {
  EXPECT_EQ(format_signed(1536, "bytes"), "+1.5 KB");
  EXPECT_EQ(format_signed(-1536, "bytes"), "-1.5 KB");
  EXPECT_EQ(format_signed(0, "bytes"), "0 B");
}

TEST(Values, AShareOfNothingIsNoNumber) {
  EXPECT_EQ(percent(1, 3), "33.3 %");
  EXPECT_EQ(percent(0, 0), "-");
}

TEST(Values, TimesAreUtc) { EXPECT_EQ(utc_time(1'700'000'000'999'999'999), "2023-11-14 22:13:20 UTC"); }

TEST(Values, TimeThatWasNotCountedIsNotZero) {
  EXPECT_EQ(time_in_bpf(1'200'000), "1.2 ms in BPF");
  EXPECT_EQ(time_in_bpf(0), "0 ns in BPF");
  EXPECT_EQ(time_in_bpf(std::nullopt).find("time in BPF not known"), 0u);
}

}  // namespace
}  // namespace dwell
