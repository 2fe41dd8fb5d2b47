// SPDX-License-Identifier: Apache-2.0
// What `dwell top` shows, by terminals of several sizes.
#include "userspace/top/layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/top/sample_models.h"
#include "tests/unit/ui/golden.h"
#include "userspace/base/text.h"

namespace dwell::top {
namespace {

using testing::HasSubstr;
using testing::Not;

Screen small(const View& view) { return lay_out(view, 80, 24); }
Screen large(const View& view) { return lay_out(view, 140, 40); }

LookPage threads_page() {
  LookPage page;
  page.age_ns = 1;
  page.lines = lines_of("3 threads: 3 sleeping.\n\n\x1b[33mDeadlock (certain): 2 threads wait for each other\x1b[0m\n  one (27193) holds mutex first\n");
  return page;
}

TEST(TopLayout, OfMemory) {
  Model model = server_model();
  State state;
  expect_golden("top_memory_80.txt", described(small({model, state})));
  expect_golden("top_memory_140.txt", described(large({model, state})));
  state.selected = 2;
  Model troubled = troubled_model();
  state.paused = true;
  state.process = 1;  // of two; 0 is both of them
  expect_golden("top_troubled_80.txt", described(small({troubled, state, nullptr, "", 3})));
  expect_golden("top_troubled_140.txt", described(large({troubled, state, nullptr, "", 3})));
}

TEST(TopLayout, OfAStackHelpAndLooks) {
  Model model = server_model();
  State state;
  state.selected = 1;
  state.stack_open = true;
  expect_golden("top_stack_80.txt", described(small({model, state})));
  expect_golden("top_stack_140.txt", described(large({model, state})));
  state = {};
  state.help = true;
  expect_golden("top_help_80.txt", described(small({model, state})));
  expect_golden("top_help_140.txt", described(large({model, state})));
  state = {};
  state.tab = Tab::kThreads;
  LookPage page = threads_page();
  expect_golden("top_threads_80.txt", described(small({model, state, &page})));
  expect_golden("top_threads_140.txt", described(large({model, state, &page})));
}

TEST(TopLayout, OfAProcessThatDoesNothingSaysSo) {
  Model model = quiet_model();
  State state;
  std::string text = described(small({model, state}));
  EXPECT_THAT(text, HasSubstr("Nothing that was allocated since dwell attached is still in use."));
  EXPECT_THAT(text, Not(HasSubstr("limit")));
}

TEST(TopLayout, FillsEveryTerminalAndNothingIsWider) {
  Model models[] = {server_model(), quiet_model(), troubled_model(), Model()};
  State states[4];
  states[1].stack_open = true, states[1].selected = 3;
  states[2].help = true;
  states[3].tab = Tab::kThreads, states[3].scroll = 1000, states[3].filter = "e";
  LookPage page = threads_page();
  for (const Model& model : models)
    for (const State& state : states)
      for (std::size_t columns : {1u, 2u, 20u, 40u, 79u, 80u, 81u, 120u, 300u})
        for (std::size_t rows : {1u, 2u, 5u, 7u, 8u, 24u, 100u}) {
          Screen screen = lay_out({model, state, &page, "", 1}, columns, rows);
          ASSERT_EQ(screen.lines.size(), rows);
          for (const Line& line : screen.lines) ASSERT_LE(width_of(line), columns) << line.text();
        }
}

TEST(TopLayout, KeepsTheSelectedRowInSight) {
  Model model = server_model();
  for (std::uint64_t i = 10; i < 110; ++i) {
    model.rows.push_back(model.rows[2]);
    model.rows.back().key = i;
    model.rows.back().live = static_cast<double>(i);
    model.rows.back().name = "row" + std::to_string(i) + ".";
  }
  State state;
  state.sort = SortBy::kLive;
  state.selected = 10;  // the last one
  EXPECT_THAT(described(small({model, state})), HasSubstr("row10."));
  state.selected.reset();
  EXPECT_THAT(described(small({model, state})), Not(HasSubstr("row10.")));
}

TEST(TopLayout, FiltersTheLinesOfALook) {
  Model model = server_model();
  State state;
  state.tab = Tab::kThreads;
  state.filter = "MUTEX one";
  LookPage page = threads_page();
  std::string text = described(small({model, state, &page}));
  EXPECT_THAT(text, HasSubstr("holds mutex first"));
  EXPECT_THAT(text, Not(HasSubstr("3 threads")));
}

TEST(TopLayout, InLines) {
  expect_golden("top_lines.txt", plain_text(server_model(), 0, 5) + plain_text(troubled_model(), 80, 2));
}

}  // namespace
}  // namespace dwell::top
