// SPDX-License-Identifier: Apache-2.0
// State: what the user of the screen has chosen, and what keys do to it. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "userspace/top/model.h"

namespace dwell::top {

enum class Tab : std::uint8_t { kMemory, kThreads, kGo, kFiles, kClocks };
std::string_view name_of(Tab tab);  // "memory", "threads", "go", "files", "clocks": also that of its subject

enum class SortBy : std::uint8_t { kRate, kLive, kSinceMark, kBlocks, kName };
std::string_view name_of(SortBy sort);

// What a key means that is no text.
enum class Key : std::uint8_t { kText, kEnter, kEscape, kBackspace, kUp, kDown, kPageUp, kPageDown, kHome, kEnd, kLeft, kRight, kTab, kBackTab };
struct KeyPress {
  Key key = Key::kText;
  std::string text = {};  // of kText: one character
};

enum class Action : std::uint8_t { kNone, kQuit, kMark, kWrite, kRefresh };

struct State {
  Tab tab = Tab::kMemory;
  SortBy sort = SortBy::kRate;
  bool ascending = false;
  std::string filter;
  bool typing_filter = false;
  std::string filter_before;       // what Escape restores
  std::optional<std::uint64_t> selected;  // a row, by its key: it keeps its row when others overtake it
  std::size_t position = 0;        // where that was last
  bool stack_open = false;
  bool help = false;
  bool paused = false;
  std::size_t scroll = 0;          // first line of a page of text
  std::size_t process = 0;         // which of several is shown
};

struct Shown {  // what keys are about
  const Model* model = nullptr;
  std::vector<Tab> tabs;
  std::size_t processes = 1;
  std::size_t page = 10;  // rows of a page
};

// The rows that the filter leaves, in order.
std::vector<const SiteRow*> sorted_rows(const Model& model, const State& state);
// Those tabs that say something of the process.
std::vector<Tab> tabs_of(const Model& model);
// Where the selected row stands now.
std::size_t position_of(const std::vector<const SiteRow*>& rows, const State& state);

Action press(State& state, const KeyPress& key, const Shown& shown);

// Whether each word of the filter, divided by spaces, stands somewhere in the text, in either case.
bool matches(std::string_view text, std::string_view filter);

}  // namespace dwell::top
