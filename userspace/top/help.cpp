// SPDX-License-Identifier: Apache-2.0
#include "userspace/top/help.h"

#include <algorithm>

#include "ui/text_width.h"

namespace dwell::top {
namespace {

constexpr struct { const char* keys; const char* sentence; } kKeys[] = {
    {"1 2 3 ... Tab ← →", "memory, threads, goroutines, files, clocks: a tab looks at the process only while it is shown"},
    {"↑ ↓ k j PgUp PgDn", "select a call site, or scroll"},
    {"Enter", "the stack of the selected call site; Esc goes back"},
    {"s", "sort by the next column: growth, live, since mark, blocks, call site"},
    {"r", "reverse the order"},
    {"/", "show only what has these words in it; Esc ends that"},
    {"m", "set a mark: the column \"since mark\" counts from there, and the recording keeps it"},
    {"w", "save the recording as it is now, with names, beside where dwell was started"},
    {"p", "pause the screen; the recording goes on"},
    {"u", "look again at once"},
    {"[ ]", "all processes, or one of them, where several are watched"},
    {"q Ctrl-C", "quit"},
};

constexpr struct { const char* term; const char* meaning; } kMeanings[] = {
    {"growth/min", "by how much the live bytes of a call site grew in the last minute (a robust slope)"},
    {"live", "what it allocated since dwell attached and has not freed"},
    {"since mark", "by how much that has changed since the last mark"},
    {"overhead", "what the probes cost, of the CPU time that the process used in the last ten seconds"},
};

}  // namespace

std::vector<KeyHelp> footer_keys(const State& state) {
  if (state.help) return {{"?", "back"}, {"q", "quit"}};
  if (state.tab == Tab::kMemory && state.stack_open) return {{"Esc", "back"}, {"m", "mark"}, {"w", "save"}, {"?", "help"}, {"q", "quit"}};
  if (state.tab != Tab::kMemory) return {{"/", "filter"}, {"u", "look again"}, {"p", "pause"}, {"?", "help"}, {"q", "quit"}};
  return {{"s", "sort"}, {"/", "filter"}, {"Enter", "stack"}, {"m", "mark"}, {"w", "save"}, {"p", "pause"}, {"?", "help"}, {"q", "quit"}};
}

std::vector<Line> help_lines(std::size_t columns) {
  constexpr std::size_t kKeyWidth = 20, kNarrowest = 20;
  std::vector<Line> lines;
  auto add = [&](const char* term, const char* sentence) {
    std::string first = term;
    for (const std::string& part : wrap(sentence, std::max(columns, kKeyWidth + kNarrowest) - kKeyWidth, 0)) {
      lines.push_back(Line().add(pad_right(first, kKeyWidth), Paint::kStrong).add(part));
      first.clear();
    }
  };
  for (const auto& [keys, sentence] : kKeys) add(keys, sentence);
  lines.emplace_back();
  for (const auto& [term, meaning] : kMeanings) add(term, meaning);
  return lines;
}

}  // namespace dwell::top
