// SPDX-License-Identifier: Apache-2.0
#include "ui/flame_graph.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/ui/golden.h"
#include "tests/unit/ui/sample_profiles.h"

namespace dwell {
namespace {

using testing::HasSubstr;
using testing::Not;

void remove_between(std::string& text, const std::string& begin, const std::string& end) {
  std::size_t from = text.find(begin) + begin.size();
  text.erase(from, text.find(end, from) - from);
}

// The graph without the constant style and script, which other tests run.
std::string picture_and_data(const Profile& profile, const FlameGraphOptions& options) {
  std::string svg = flame_graph(profile, options);
  remove_between(svg, "<style>", "</style>");
  remove_between(svg, "<script>", "</script>");
  return svg;
}

TEST(FlameGraph, ColoursByModule) {
  expect_golden("server.svg", picture_and_data(server_profile(), {.sample_type = 1}));
}

TEST(FlameGraph, ColoursByGrowth) {
  expect_golden("difference.svg", picture_and_data(difference_profile(), {}));
}

TEST(FlameGraph, HostileNamesAreText) {
  std::string svg = picture_and_data(hostile_profile(), {});
  expect_golden("hostile.svg", svg);
  EXPECT_THAT(svg, Not(HasSubstr("<img")));
  EXPECT_THAT(svg, Not(HasSubstr("<script>document")));
}

TEST(FlameGraph, RootStandsWhereAskedFor) {
  std::string top = picture_and_data(server_profile(), {.sample_type = 1});
  std::string bottom = picture_and_data(server_profile(), {.sample_type = 1, .root_at_bottom = true});
  const std::string root = "<title>all, 46.3 MB, 100.0 %</title><rect x=\"10.00\" y=";
  EXPECT_THAT(top, HasSubstr(root + "\"56\""));
  EXPECT_THAT(bottom, HasSubstr(root + "\"182\""));
}

TEST(FlameGraph, NarrowFramesAreFoldedAndCounted) {
  ProfileBuilder builder{{"inuse_space", "bytes"}};
  builder.stack({"main", "big"}, {1'000'000});
  for (int i = 0; i < 30; ++i) builder.stack({"main", fmt::format("small{}", i), "leaf"}, {10});
  std::string svg = picture_and_data(builder.profile, {});
  EXPECT_THAT(svg,
              HasSubstr("60 frames narrower than 0.1 px at a width of 1200 px folded into 1 grey frame"));
  EXPECT_THAT(svg, HasSubstr("\"… 60 narrow frames\""));
  EXPECT_THAT(svg, HasSubstr(",300,300,2]"));
  EXPECT_THAT(picture_and_data(builder.profile, {.min_width_px = 0}), Not(HasSubstr("narrower than")));
}

TEST(FlameGraph, NothingToShowIsSaid) {
  ProfileBuilder builder{{"inuse_space", "bytes"}};
  EXPECT_THAT(picture_and_data(builder.profile, {}), HasSubstr("Nothing to show"));
}

TEST(FlameGraph, AStackOfAnyDepthIsDrawn) {
  ProfileBuilder builder{{"inuse_space", "bytes"}};
  builder.stack({"f"}, {1});
  builder.profile.samples[0].stack.assign(100'000, 0);
  EXPECT_THAT(flame_graph(builder.profile, {}), HasSubstr("100000,1,"));
}

TEST(FlameGraph, NeedsNothingFromOutside) {
  std::string svg = flame_graph(server_profile(), {.sample_type = 1});
  for (const char* outside : {"href=", "src=", "@import", "url(", "fetch(", "eval(", "innerHTML"}) {
    EXPECT_THAT(svg, Not(HasSubstr(outside)));
  }
}

}  // namespace
}  // namespace dwell
