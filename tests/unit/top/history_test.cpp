// SPDX-License-Identifier: Apache-2.0
// Growth and course of what a recording tells only as it stands.
#include "userspace/top/history.h"

#include <gtest/gtest.h>

namespace dwell::top {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

Model at(std::uint64_t seconds, double live) {
  Model model;
  model.elapsed_ns = seconds * kSecond;
  model.live = live;
  SiteRow& row = model.rows.emplace_back();
  row.key = 7;
  row.live = live;
  row.by_history = true;
  return model;
}

TEST(TopHistory, HasTheGrowthOfTheLastMinute) {
  History history;
  Model model;
  for (std::uint64_t second = 0; second <= 200; ++second) {
    model = at(second, second < 100 ? 1e6 * static_cast<double>(second) : 1e8);
    history.follow(model);
    if (second == 50) { EXPECT_NEAR(*model.rows[0].rate, 60e6, 1e5); }
    if (second == 3) { EXPECT_FALSE(model.rows[0].rate) << "too early"; }
  }
  EXPECT_EQ(*model.rows[0].rate, 0) << "it grew long ago";
  EXPECT_EQ(*model.live_rate, 0);
  EXPECT_EQ(model.rows[0].curve.size(), model.rows[0].curve_times_ns.size());
  EXPECT_EQ(model.rows[0].curve.front(), 0);
}

TEST(TopHistory, StaysSmallAndKeepsTheWholeTime) {
  History history;
  Model model;
  for (std::uint64_t second = 0; second < 20'000; ++second) history.follow(model = at(second, 1));
  EXPECT_LE(model.rows[0].curve.size(), 256u);
  EXPECT_EQ(model.rows[0].curve_times_ns.front(), 0u);
  EXPECT_TRUE(std::ranges::is_sorted(model.rows[0].curve_times_ns));
}

TEST(TopHistory, CountsFromTheMark) {
  History history;
  Model model;
  for (std::uint64_t second = 0; second <= 20; ++second) {
    model = at(second, 100.0 * static_cast<double>(second));
    if (second >= 10) model.marks_ns = {10 * kSecond};
    history.follow(model);
  }
  EXPECT_EQ(model.rows[0].since_mark, 1000);
}

TEST(TopHistory, LeavesOthersAlone) {
  History history;
  Model model = at(1, 5);
  model.rows[0].by_history = false;
  model.rows[0].rate = 42;
  model.live_rate = 43;
  history.follow(model);
  EXPECT_EQ(model.rows[0].rate, 42);
  EXPECT_EQ(model.live_rate, 43);
  EXPECT_TRUE(model.rows[0].curve.empty());
}

}  // namespace
}  // namespace dwell::top
