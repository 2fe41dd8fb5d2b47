// SPDX-License-Identifier: Apache-2.0
#include "ui/escape.h"

#include <gtest/gtest.h>

namespace dwell {
namespace {

TEST(Escape, OrdinaryTextStaysAsItIs) {
  EXPECT_EQ(printable("std::vector<int>::push_back(int&&)"), "std::vector<int>::push_back(int&&)");
  EXPECT_EQ(printable("größe 日本語 🦀"), "größe 日本語 🦀");
}

TEST(Escape, ControlCharactersAreShownNotSent) {
  EXPECT_EQ(printable("\x1b[2J\r\n\t\x7f"), "\\x1b[2J\\x0d\\x0a\\x09\\x7f");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            "\\x9b31m");
  EXPECT_EQ(printable(std::string_view("a\0b", 3)), "a\\x00b");
}

TEST(Escape, TextThatReversesOrHidesIsShown) {
  EXPECT_EQ(printable("a\u202Eb\u2066c\u200Bd\uFEFF"), "a\\u{202e}b\\u{2066}c\\u{200b}d\\u{feff}");
}

TEST(Escape, BrokenUtf8BecomesBytes) {
  EXPECT_EQ(printable("\xff"), "\\xff");
  EXPECT_EQ(printable("\xc0\xaf"), "\\xc0\\xaf");           // overlong '/'
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // half of a surrogate pair
  EXPECT_EQ(printable("\xe6\x97"), "\\xe6\\x97");           // cut short
  EXPECT_EQ(printable("\xf5\x80\x80\x80"), "\\xf5\\x80\\x80\\x80");
}

TEST(Escape, XmlHasNoMarkupLeft) {
  EXPECT_EQ(xml_escape("<a b=\"c\" d='e'>&"), "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;");
}

TEST(Escape, JsonCannotCloseAScript) {
  EXPECT_EQ(json_quote("</script>\"\\\n"), "\"\\u003c/script\\u003e\\\"\\\\\\\\x0a\"");
}

}  // namespace
}  // namespace dwell
