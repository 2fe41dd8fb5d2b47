// SPDX-License-Identifier: Apache-2.0
#include "userspace/top/state.h"

#include <algorithm>
#include <cctype>

#include "userspace/base/text.h"

namespace dwell::top {
namespace {

constexpr std::string_view kTabNames[] = {"memory", "threads", "go", "files", "clocks"};
constexpr std::string_view kSortNames[] = {"growth", "live", "since mark", "blocks", "call site"};

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower;
}

// What has no figure comes last, whichever way the others are sorted.
double figure_of(const SiteRow& row, SortBy sort) {
  constexpr double kNone = -1e300;
  switch (sort) {
    case SortBy::kRate: return row.rate.value_or(kNone);
    case SortBy::kLive: return row.live;
    case SortBy::kSinceMark: return row.since_mark.value_or(kNone);
    case SortBy::kBlocks: return row.blocks.value_or(kNone);
    case SortBy::kName: return 0;
  }
  return 0;
}

bool comes_before(const SiteRow& a, const SiteRow& b, const State& state) {
  double left = figure_of(a, state.sort), right = figure_of(b, state.sort);
  if (state.sort == SortBy::kName && a.name != b.name) return (a.name < b.name) != state.ascending;
  if (left != right) return (left > right) != state.ascending;
  if (a.live != b.live) return a.live > b.live;
  return a.key < b.key;
}

void drop_last_character(std::string& text) {
  while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xc0) == 0x80) text.pop_back();
  if (!text.empty()) text.pop_back();
}

Action type_filter(State& state, const KeyPress& key) {
  switch (key.key) {
    case Key::kText: state.filter += key.text; break;
    case Key::kBackspace: drop_last_character(state.filter); break;
    case Key::kEnter: state.typing_filter = false; break;
    case Key::kEscape:
      state.typing_filter = false;
      state.filter = state.filter_before;
      break;
    default: break;
  }
  state.scroll = 0;
  return Action::kNone;
}

void turn_tab(State& state, const std::vector<Tab>& tabs, bool forward) {
  if (tabs.empty()) return;
  auto at = static_cast<std::size_t>(std::ranges::find(tabs, state.tab) - tabs.begin());
  state.tab = tabs[(at + (forward ? 1 : tabs.size() - 1)) % tabs.size()];
  state.scroll = 0;
  state.stack_open = false;
}

bool shows_rows(const State& state) { return state.tab == Tab::kMemory && !state.stack_open && !state.help; }

void move(State& state, const Shown& shown, std::ptrdiff_t by) {
  auto moved = [by](std::size_t from, std::size_t most) {
    auto to = static_cast<std::ptrdiff_t>(from) + by;
    return static_cast<std::size_t>(std::clamp<std::ptrdiff_t>(to, 0, static_cast<std::ptrdiff_t>(most)));
  };
  constexpr std::size_t kFar = std::size_t{1} << 30;  // the layout knows the end of a page of text
  if (!shows_rows(state)) {
    state.scroll = moved(state.scroll, kFar);
    return;
  }
  if (!shown.model) return;
  std::vector<const SiteRow*> rows = sorted_rows(*shown.model, state);
  if (rows.empty()) return;
  std::size_t from = state.selected || state.position ? position_of(rows, state) : 0;
  bool first = !state.selected && by > 0;  // nothing is selected yet: the first row is
  state.position = first && by == 1 ? 0 : moved(from, rows.size() - 1);
  state.selected = rows[state.position]->key;
}

void open_stack(State& state, const Shown& shown) {
  if (state.tab != Tab::kMemory || !shown.model) return;
  std::vector<const SiteRow*> rows = sorted_rows(*shown.model, state);
  if (rows.empty()) return;
  if (!state.selected) state.selected = rows[position_of(rows, state)]->key;
  state.stack_open = true;
  state.scroll = 0;
}

void next_sort(State& state, const Shown& shown) {
  bool marked = shown.model && !shown.model->marks_ns.empty();
  do state.sort = static_cast<SortBy>((static_cast<int>(state.sort) + 1) % static_cast<int>(std::size(kSortNames)));
  while (state.sort == SortBy::kSinceMark && !marked);
}

Action press_text(State& state, char key, const Shown& shown) {
  constexpr std::ptrdiff_t kOne = 1;
  switch (key) {
    case 'q': return Action::kQuit;
    case '?': case 'h': state.help = !state.help, state.scroll = 0; break;
    case 'k': move(state, shown, -kOne); break;
    case 'j': move(state, shown, kOne); break;
    case ' ': move(state, shown, static_cast<std::ptrdiff_t>(shown.page)); break;
    case 's': next_sort(state, shown); break;
    case 'r': state.ascending = !state.ascending; break;
    case 'p': state.paused = !state.paused; break;
    case 'm': return Action::kMark;
    case 'w': return Action::kWrite;
    case 'u': return Action::kRefresh;
    case '/': state.typing_filter = true, state.filter_before = state.filter; break;
    case ']': state.process = (state.process + 1) % std::max<std::size_t>(shown.processes, 1); break;
    case '[': state.process = (state.process + std::max<std::size_t>(shown.processes, 1) - 1) % std::max<std::size_t>(shown.processes, 1); break;
    default:
      if (key >= '1' && static_cast<std::size_t>(key - '1') < shown.tabs.size()) {
        state.tab = shown.tabs[static_cast<std::size_t>(key - '1')];
        state.scroll = 0, state.stack_open = false;
      }
  }
  return Action::kNone;
}

}  // namespace

std::string_view name_of(Tab tab) { return kTabNames[static_cast<std::size_t>(tab)]; }
std::string_view name_of(SortBy sort) { return kSortNames[static_cast<std::size_t>(sort)]; }

bool matches(std::string_view text, std::string_view filter) {
  std::string whole = lower_case(text), wanted = lower_case(filter);
  for (std::string_view word : split(wanted, ' '))
    if (!word.empty() && whole.find(word) == std::string::npos) return false;
  return true;
}

std::vector<Tab> tabs_of(const Model& model) {
  std::vector<Tab> tabs = {Tab::kMemory, Tab::kThreads};
  if (model.has_go) tabs.push_back(Tab::kGo);
  tabs.push_back(Tab::kFiles);
  tabs.push_back(Tab::kClocks);
  return tabs;
}

std::vector<const SiteRow*> sorted_rows(const Model& model, const State& state) {
  std::vector<const SiteRow*> rows;
  auto in_stack = [&](const SiteRow& row) {
    return std::ranges::any_of(row.stack, [&](const std::string& frame) { return matches(frame, state.filter); });
  };
  for (const SiteRow& row : model.rows)
    if (state.filter.empty() || matches(row.name, state.filter) || in_stack(row)) rows.push_back(&row);
  std::ranges::sort(rows, [&](const SiteRow* a, const SiteRow* b) { return comes_before(*a, *b, state); });
  return rows;
}

std::size_t position_of(const std::vector<const SiteRow*>& rows, const State& state) {
  if (state.selected)
    for (std::size_t i = 0; i < rows.size(); ++i)
      if (rows[i]->key == *state.selected) return i;
  return rows.empty() ? 0 : std::min(state.position, rows.size() - 1);
}

Action press(State& state, const KeyPress& key, const Shown& shown) {
  if (state.typing_filter) return type_filter(state, key);
  auto page = static_cast<std::ptrdiff_t>(std::max<std::size_t>(shown.page, 1));
  constexpr std::ptrdiff_t kAll = 1 << 29;
  switch (key.key) {
    case Key::kText: return key.text.size() == 1 ? press_text(state, key.text[0], shown) : Action::kNone;
    case Key::kEnter: open_stack(state, shown); break;
    case Key::kEscape:
      if (state.help) state.help = false;
      else if (state.stack_open) state.stack_open = false, state.scroll = 0;
      else state.filter.clear(), state.selected.reset(), state.position = 0;
      break;
    case Key::kUp: move(state, shown, -1); break;
    case Key::kDown: move(state, shown, 1); break;
    case Key::kPageUp: move(state, shown, -page); break;
    case Key::kPageDown: move(state, shown, page); break;
    case Key::kHome: move(state, shown, -kAll); break;
    case Key::kEnd: move(state, shown, kAll); break;
    case Key::kLeft: case Key::kBackTab: turn_tab(state, shown.tabs, false); break;
    case Key::kRight: case Key::kTab: turn_tab(state, shown.tabs, true); break;
    case Key::kBackspace: break;
  }
  return Action::kNone;
}

}  // namespace dwell::top
