// SPDX-License-Identifier: Apache-2.0
#include "ui/text_style.h"

#include <gtest/gtest.h>

#include <map>

#include "ui/text_table.h"

namespace dwell {
namespace {

TextStyle style(bool is_terminal, std::size_t window, std::map<std::string, std::string> variables) {
  return text_style(is_terminal, window, [&](const char* name) {
    auto at = variables.find(name);
    return at == variables.end() ? nullptr : at->second.c_str();
  });
}

TEST(TextStyle, ColourOnlyOnATerminal) {
  EXPECT_TRUE(style(true, 100, {{"TERM", "xterm"}}).colour);
  EXPECT_FALSE(style(false, 100, {{"TERM", "xterm"}}).colour);
}

TEST(TextStyle, NoColorAndDumbTerminalsAreRespected) {
  EXPECT_FALSE(style(true, 100, {{"NO_COLOR", "1"}}).colour);
  EXPECT_TRUE(style(true, 100, {{"NO_COLOR", ""}}).colour);
  EXPECT_FALSE(style(true, 100, {{"TERM", "dumb"}}).colour);
}

TEST(TextStyle, WidthIsOfTheWindowUnlessColumnsSaysOtherwise) {
  EXPECT_EQ(style(true, 133, {}).columns, 133u);
  EXPECT_EQ(style(true, 133, {{"COLUMNS", "90"}}).columns, 90u);
  EXPECT_EQ(style(true, 0, {}).columns, 80u);
  EXPECT_EQ(style(true, 5, {}).columns, 40u);
  EXPECT_EQ(style(true, 133, {{"COLUMNS", "9o"}}).columns, 133u);
}

TEST(TextStyle, APipeHasNoWidthUnlessColumnsSaysSo) {
  EXPECT_EQ(style(false, 133, {}).columns, 0u);
  EXPECT_EQ(style(false, 133, {{"COLUMNS", "90"}}).columns, 90u);
}

TextTable table() {
  TextTable made({{"bytes"}, {"blocks", 1}, {"never", 2}, {"share", 3}, {"name"}});
  made.add(
      {{"12.3 MB"}, {"1,204"}, {"-"}, {"97.1 %"}, {"a name that goes on for quite a while, as names do"}});
  made.add({{"1 B"}, {"1"}, {"-"}, {"0.0 %"}, {"b"}});
  return made;
}

TEST(TextTable, AlignsAndLeavesOutEmptyColumns) {
  EXPECT_EQ(table().write({}),
            "  bytes  blocks   share  name\n"
            "12.3 MB   1,204  97.1 %  a name that goes on for quite a while, as names do\n"
            "    1 B       1   0.0 %  b\n");
}

TEST(TextTable, DropsByRankWhenNarrow) {
  EXPECT_EQ(table().write({.columns = 62}),
            "  bytes  blocks  name\n"
            "12.3 MB   1,204  a name that goes on for quite a while, as na…\n"
            "    1 B       1  b\n");
  EXPECT_EQ(table().write({.columns = 40}),
            "  bytes  name\n"
            "12.3 MB  a name that goes on for quite …\n"
            "    1 B  b\n");
}

}  // namespace
}  // namespace dwell
