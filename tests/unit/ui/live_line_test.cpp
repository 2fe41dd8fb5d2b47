// SPDX-License-Identifier: Apache-2.0
#include "ui/live_line.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "ui/text_width.h"
#include "userspace/base/unique_fd.h"

namespace dwell {
namespace {

LiveFigures figures() {
  LiveFigures made;
  made.elapsed_ns = 65'000'000'000;
  made.live_bytes = 12.3 * (1 << 20);
  made.growth_per_minute = 1.5 * (1 << 20);
  made.events_per_second = 3210;
  made.cost_percent = 1.24;
  return made;
}

TEST(LiveLine, HasTimeLiveBytesGrowthRateCostAndLosses) {
  EXPECT_EQ(live_line_text(figures(), {}),
            "1 min 5 s   live 12.3 MB   +1.5 MB/min   3.21k events/s   cost 1.2 % of its CPU   nothing lost");
}

TEST(LiveLine, LossesStayInSightWhenItGetsNarrow) {
  LiveFigures lossy = figures();
  lossy.losses = 1234;
  EXPECT_EQ(live_line_text(lossy, {.columns = 40}), "1 min 5 s   live 12.3 MB   1,234 lost");
}

TEST(LiveLine, NeverFillsTheLastColumn) {
  for (std::size_t columns = 40; columns < 110; ++columns) {
    LiveFigures busy;
    busy.activity = "attaching 23 probes to a program with a rather long name, 日本語";
    EXPECT_LT(display_width(live_line_text(figures(), {.columns = columns})), columns);
    EXPECT_LT(display_width(live_line_text(busy, {.columns = columns})), columns);
  }
}

class LiveLineTest : public testing::Test {
 protected:
  void SetUp() override {
    int fds[2];
    ASSERT_EQ(pipe2(fds, O_NONBLOCK), 0);
    read_end_.reset(fds[0]);
    write_end_.reset(fds[1]);
  }
  std::string written() {
    char buffer[4096];
    ssize_t size = ::read(read_end_.get(), buffer, sizeof buffer);
    return size > 0 ? std::string(buffer, static_cast<std::size_t>(size)) : "";
  }
  UniqueFd read_end_, write_end_;
};

TEST_F(LiveLineTest, APipeGetsNothing) {
  LiveLine line(write_end_.get());
  line.show(figures());
  line.clear();
  EXPECT_EQ(written(), "");
}

TEST_F(LiveLineTest, ATerminalIsLeftClean) {
  TextStyle style;
  style.terminal = true;
  {
    LiveLine line(write_end_.get(), style);
    line.show(figures());
    EXPECT_EQ(written(), "\r\x1b[K" + live_line_text(figures(), style));
  }
  EXPECT_EQ(written(), "\r\x1b[K");
}

}  // namespace
}  // namespace dwell
