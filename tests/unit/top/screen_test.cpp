// SPDX-License-Identifier: Apache-2.0
#include "userspace/top/screen.h"

#include <gtest/gtest.h>

namespace dwell::top {
namespace {

TEST(TopScreen, CutsWhereItIsTooWide) {
  Line line;
  line.add("red ", Paint::kGrew).add("and plain");
  EXPECT_EQ(cut(line, 13).text(), "red and plain");
  EXPECT_EQ(cut(line, 12).text(), "red and pla…");
  EXPECT_EQ(cut(line, 12).spans[0].paint, Paint::kGrew);
  EXPECT_EQ(width_of(cut(line, 4)), 4u);
  EXPECT_EQ(width_of(cut(line, 0)), 0u);
}

TEST(TopScreen, SpreadsWhereBothFit) {
  Line left, right;
  left.add("left");
  right.add("right");
  EXPECT_EQ(spread(left, right, 12).text(), "left   right");
  EXPECT_EQ(spread(left, right, 9).text(), "left") << "they would touch";
  EXPECT_EQ(spread(left, Line(), 12).text(), "left");
}

TEST(TopScreen, ReadsWhatIsPaintedForATerminal) {
  TextStyle style{80, true, true};
  std::vector<Line> lines = lines_of("plain " + style.paint(Paint::kWarning, "warning") + " plain\n" + style.paint(Paint::kStrong, "strong") + "\n\n");
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(described({lines, 0, 0}), "|plain {warning:warning} plain\n|{strong:strong}\n");
}

TEST(TopScreen, LeavesOtherEscapesOut) {
  std::vector<Line> lines = lines_of("a\x1b[2Jb\x1b[31;1mc\x1b]0;title");
  ASSERT_EQ(lines.size(), 1u);
  for (const Span& span : lines[0].spans) EXPECT_EQ(span.text.find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace dwell::top
