// SPDX-License-Identifier: Apache-2.0
// What keys do.
#include "userspace/top/state.h"

#include <gtest/gtest.h>

#include "tests/unit/top/sample_models.h"

namespace dwell::top {
namespace {

struct Keys {
  Model model = server_model();
  State state;
  Action last = Action::kNone;

  Keys& type(const std::string& text) {
    for (char c : text) send({Key::kText, std::string(1, c)});
    return *this;
  }
  Keys& send(const KeyPress& key) {
    last = press(state, key, {&model, tabs_of(model), 3, 10});
    return *this;
  }
  std::vector<std::uint64_t> order() const {
    std::vector<std::uint64_t> keys;
    for (const SiteRow* row : sorted_rows(model, state)) keys.push_back(row->key);
    return keys;
  }
};

using Order = std::vector<std::uint64_t>;

TEST(TopKeys, WhatGrowsComesFirst) {
  Keys keys;
  EXPECT_EQ(keys.order(), (Order{1, 3, 2}));
  keys.type("r");
  EXPECT_EQ(keys.order(), (Order{2, 3, 1}));
}

TEST(TopKeys, SortsByEachColumnThatIsShown) {
  Keys keys;
  EXPECT_EQ(keys.type("s").state.sort, SortBy::kLive);
  EXPECT_EQ(keys.order(), (Order{1, 2, 3}));
  EXPECT_EQ(keys.type("s").state.sort, SortBy::kBlocks) << "there is no mark";
  EXPECT_EQ(keys.type("s").state.sort, SortBy::kName);
  EXPECT_EQ(keys.order(), (Order{1, 2, 3})) << "Cache, Log, arena";
  EXPECT_EQ(keys.type("s").state.sort, SortBy::kRate);
  keys.model.marks_ns = {1};
  EXPECT_EQ(keys.type("ss").state.sort, SortBy::kSinceMark);
}

TEST(TopKeys, WhatHasNoFigureComesLast) {
  Keys keys;
  keys.model.rows[0].rate.reset();
  EXPECT_EQ(keys.order(), (Order{3, 2, 1}));
}

TEST(TopKeys, ASelectedRowStaysSelectedWhenOthersOvertakeIt) {
  Keys keys;
  keys.send({Key::kDown}).send({Key::kDown});
  ASSERT_EQ(keys.state.selected, 3u);
  keys.model.rows[1].rate = 1e12;  // row 2 comes first now
  EXPECT_EQ(position_of(sorted_rows(keys.model, keys.state), keys.state), 2u);
  keys.send({Key::kUp});
  EXPECT_EQ(keys.state.selected, 1u);
  keys.model.rows.erase(keys.model.rows.begin());  // the selected one is gone: its place remains
  EXPECT_EQ(position_of(sorted_rows(keys.model, keys.state), keys.state), 1u);
}

TEST(TopKeys, TheFirstRowIsSelectedFirst) {
  Keys keys;
  EXPECT_EQ(keys.send({Key::kDown}).state.selected, 1u);
  Keys more;
  EXPECT_EQ(more.send({Key::kEnd}).state.selected, 2u);
  EXPECT_EQ(more.send({Key::kHome}).state.selected, 1u);
}

TEST(TopKeys, EnterOpensAStackAndEscapeGoesBack) {
  Keys keys;
  keys.send({Key::kEnter});
  EXPECT_TRUE(keys.state.stack_open);
  EXPECT_EQ(keys.state.selected, 1u);
  keys.send({Key::kEscape});
  EXPECT_FALSE(keys.state.stack_open);
  EXPECT_EQ(keys.state.selected, 1u);
}

TEST(TopKeys, AFilterIsTypedKeptOrGivenUp) {
  Keys keys;
  keys.type("/q log").send({Key::kBackspace}).send({Key::kBackspace}).send({Key::kBackspace}).send({Key::kBackspace}).send({Key::kBackspace});
  EXPECT_EQ(keys.last, Action::kNone) << "q is text here";
  EXPECT_EQ(keys.state.filter, "");
  keys.type("LOG").send({Key::kEnter});
  EXPECT_EQ(keys.order(), Order{2});
  keys.type("/zzz").send({Key::kEscape});
  EXPECT_EQ(keys.state.filter, "LOG") << "Escape keeps what was there";
  keys.send({Key::kEscape});
  EXPECT_EQ(keys.state.filter, "");
  keys.type("/ä").send({Key::kBackspace});
}

TEST(TopKeys, AFilterFindsFramesOfTheStackToo) {
  Keys keys;
  keys.state.filter = "server.cpp:12";
  EXPECT_EQ(keys.order().size(), 3u);
}

TEST(TopKeys, BackspaceTakesAWholeCharacter) {
  Keys keys;
  keys.type("/").send({Key::kText, "ä"}).send({Key::kText, "←"}).send({Key::kBackspace});
  EXPECT_EQ(keys.state.filter, "ä");
}

TEST(TopKeys, TabsGoRound) {
  Keys keys;
  EXPECT_EQ(keys.send({Key::kTab}).state.tab, Tab::kThreads);
  EXPECT_EQ(keys.send({Key::kTab}).state.tab, Tab::kFiles) << "it is no Go program";
  keys.model.has_go = true;
  EXPECT_EQ(keys.type("3").state.tab, Tab::kGo);
  EXPECT_EQ(keys.send({Key::kLeft}).send({Key::kLeft}).send({Key::kLeft}).state.tab, Tab::kClocks);
}

TEST(TopKeys, Act) {
  Keys keys;
  EXPECT_EQ(keys.type("m").last, Action::kMark);
  EXPECT_EQ(keys.type("w").last, Action::kWrite);
  EXPECT_EQ(keys.type("u").last, Action::kRefresh);
  EXPECT_EQ(keys.type("q").last, Action::kQuit);
  EXPECT_TRUE(keys.type("p").state.paused);
  EXPECT_TRUE(keys.type("?").state.help);
  EXPECT_EQ(keys.type("[").state.process, 2u);
  EXPECT_EQ(keys.type("]").state.process, 0u);
}

TEST(TopKeys, DoNothingWhereThereIsNothing) {
  Keys keys;
  keys.model = Model();
  keys.send({Key::kDown}).send({Key::kEnter}).send({Key::kPageDown}).type("rs").send({Key::kEnd});
  EXPECT_FALSE(keys.state.stack_open);
  EXPECT_FALSE(keys.state.selected);
}

TEST(TopKeys, FilterWordsMayStandAnywhere) {
  EXPECT_TRUE(matches("Cache::insert ← Server::handle", "handle CACHE"));
  EXPECT_FALSE(matches("Cache::insert", "cache remove"));
  EXPECT_TRUE(matches("anything", "  "));
}

}  // namespace
}  // namespace dwell::top
