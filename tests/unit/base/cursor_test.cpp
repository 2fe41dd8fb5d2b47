// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/cursor.h"

#include <gtest/gtest.h>

namespace dwell {
namespace {

using namespace std::string_view_literals;

TEST(Cursor, ReadsLittleEndianFieldsInOrder) {
  Cursor cursor("\x01\x02\x03\x04\x05\x06\x07"sv);
  EXPECT_EQ(cursor.u8(), 0x01);
  EXPECT_EQ(cursor.u16(), 0x0302);
  EXPECT_EQ(cursor.u32(), 0x07060504u);
  EXPECT_TRUE(cursor.ok());
  EXPECT_TRUE(cursor.at_end());
}

TEST(Cursor, StaysFailedAfterAReadPastTheEnd) {
  Cursor cursor("\x01\x02"sv);
  EXPECT_EQ(cursor.u32(), 0u);
  EXPECT_FALSE(cursor.ok());
  EXPECT_EQ(cursor.u8(), 0) << "what is left must not be handed out after a failure";
  EXPECT_EQ(cursor.remaining(), 0u);
}

TEST(Cursor, DecodesLeb128) {
  Cursor cursor("\xe5\x8e\x26\x7f\xc0\xbb\x78"sv);
  EXPECT_EQ(cursor.uleb(), 624485u);
  EXPECT_EQ(cursor.sleb(), -1);
  EXPECT_EQ(cursor.sleb(), -123456);
  EXPECT_TRUE(cursor.ok());
}

TEST(Cursor, RefusesLeb128OfMoreThan64Bits) {
  Cursor largest("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"sv);
  EXPECT_EQ(largest.uleb(), ~std::uint64_t{0});
  EXPECT_TRUE(largest.ok());
  Cursor too_large("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"sv);
  too_large.uleb();
  EXPECT_FALSE(too_large.ok());
  Cursor endless("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00"sv);
  endless.uleb();
  EXPECT_FALSE(endless.ok());
}

TEST(Cursor, AStringWithoutItsNulFails) {
  Cursor cursor("abc\0de"sv);
  EXPECT_EQ(cursor.c_string(), "abc");
  EXPECT_EQ(cursor.c_string(), "");
  EXPECT_FALSE(cursor.ok());
}

}  // namespace
}  // namespace dwell
