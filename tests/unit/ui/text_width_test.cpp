// SPDX-License-Identifier: Apache-2.0
#include "ui/text_width.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace dwell {
namespace {

TEST(TextWidth, CountsColumnsNotBytes) {
  EXPECT_EQ(display_width("malloc"), 6u);
  EXPECT_EQ(display_width("größe"), 5u);
  EXPECT_EQ(display_width("日本語"), 6u);
  EXPECT_EQ(display_width("e\u0301"), 1u);
  EXPECT_EQ(display_width("🦀"), 2u);
}

TEST(TextWidth, CutsAtTheEnd) {
  EXPECT_EQ(cut_end("abcdef", 6), "abcdef");
  EXPECT_EQ(cut_end("abcdef", 4), "abc…");
  EXPECT_EQ(cut_end("abcdef", 0), "");
}

TEST(TextWidth, CutsInTheMiddle) {
  EXPECT_EQ(cut_middle("abcdefgh", 8), "abcdefgh");
  EXPECT_EQ(cut_middle("abcdefgh", 5), "ab…gh");
  EXPECT_EQ(cut_middle("abcdefgh", 4), "ab…h");
  EXPECT_EQ(cut_middle("abcdefgh", 1), "…");
}

// A wide character that does not fit whole is left out, never halved.
TEST(TextWidth, NeverWiderThanAskedFor) {
  for (std::size_t columns = 0; columns < 12; ++columns) {
    for (std::string_view text :
         {"日本語の関数", "e\u0301e\u0301e\u0301e\u0301e\u0301e\u0301", "🦀x🦀x🦀"}) {
      EXPECT_LE(display_width(cut_end(text, columns)), columns);
      EXPECT_LE(display_width(cut_middle(text, columns)), columns);
      EXPECT_LE(display_width(shorten_name(text, columns)), columns);
    }
  }
}

TEST(TextWidth, NamesLoseTemplateArgumentsFirst) {
  std::string name = "std::map<int, std::vector<long>>::find(int const&) const";
  EXPECT_EQ(shorten_name(name, 60), name);
  EXPECT_EQ(shorten_name(name, 40), "std::map<…>::find(int const&) const");
  EXPECT_EQ(shorten_name(name, 30), "std::map<…>::find(…) const");
  EXPECT_EQ(shorten_name(name, 11), "std::…const");
}

TEST(TextWidth, OperatorsAreNoBrackets) {
  EXPECT_EQ(shorten_name("bool operator<(Key<int> const&, Key<int> const&)", 44),
            "bool operator<(Key<…> const&, Key<…> const&)");
  EXPECT_EQ(shorten_name("Stream<char>& operator<< <char>(Stream<char>&, int)", 40),
            "Stream<…>& operator<< <…>(…)");
  EXPECT_EQ(shorten_name("Ref<a, b>::operator->() const", 26), "Ref<…>::operator->() const");
  EXPECT_EQ(shorten_name("F<aaaa>::operator()(int, int)", 22), "F<…>::operator()(…)");
}

TEST(TextWidth, WhoseMethodItIsStaysInNamesOfGo) {
  EXPECT_EQ(bare_name("net/http.(*Server).Serve"), "net/http.(*Server).Serve");
  EXPECT_EQ(bare_name("main.(*worker).stop.func1"), "main.(*worker).stop.func1");
  EXPECT_EQ(shorten_name("main.(*worker).stop", 19), "main.(*worker).stop");
  EXPECT_EQ(bare_name("Cache::insert(int, char const*)"), "Cache::insert");
}

TEST(TextWidth, UnbalancedNamesAreOnlyCut) { EXPECT_EQ(shorten_name("a>b<cdefghijkl", 7), "a>b…jkl"); }

TEST(TextWidth, ChainsShowBareNames) {
  EXPECT_EQ(bare_name("Cache::insert(std::string_view, std::vector<int> const&)"), "Cache::insert");
  EXPECT_EQ(bare_name("void ns::fill<int, (char)5>(int (*)(int)) const"), "ns::fill");
  EXPECT_EQ(bare_name("(anonymous namespace)::helper(int)"), "{anonymous}::helper");
  EXPECT_EQ(bare_name("std::ostream& operator<< <int>(std::ostream&, Box<int> const&)"),
            "std::ostream& operator<< ");
  EXPECT_EQ(bare_name("<alloc::vec::Vec<T> as core::ops::Drop>::drop"),
            "<alloc::vec::Vec<T> as core::ops::Drop>::drop");
  EXPECT_EQ(bare_name("LazyCompile:*work /srv/app.js:10"), "LazyCompile:*work /srv/app.js:10");
  EXPECT_EQ(bare_name("[unknown]"), "[unknown]");
}

TEST(TextWidth, WrapsAtSpaces) {
  EXPECT_THAT(wrap("one two three", 0, 2), testing::ElementsAre("one two three"));
  EXPECT_THAT(wrap("one two three", 8, 2), testing::ElementsAre("one two", "  three"));
  EXPECT_THAT(wrap("  one two", 7, 4), testing::ElementsAre("  one", "    two"));
  EXPECT_THAT(wrap("abcdefghijklm no", 7, 1), testing::ElementsAre("abc…klm", " no"));
}

TEST(TextWidth, PadsToColumns) {
  EXPECT_EQ(pad_right("日本", 6), "日本  ");
  EXPECT_EQ(pad_left("日本", 6), "  日本");
  EXPECT_EQ(pad_left("abcdef", 3), "abcdef");
}

}  // namespace
}  // namespace dwell
