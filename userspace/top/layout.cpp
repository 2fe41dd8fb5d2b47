// SPDX-License-Identifier: Apache-2.0
#include "userspace/top/layout.h"

#include <fmt/core.h>

#include <algorithm>

#include "ui/sparkline.h"
#include "ui/text_width.h"
#include "ui/words.h"
#include "userspace/base/text.h"
#include "userspace/top/columns.h"
#include "userspace/top/help.h"

namespace dwell::top {
namespace {

constexpr std::size_t kLabel = 5, kFigure = 10, kRate = 15;

std::string figure(const std::optional<double>& bytes) { return bytes ? bytes_text(*bytes) : "-"; }

std::string live_of(const Model& model) { return model.live_text.empty() ? figure(model.live) : model.live_text; }

Paint paint_of_rate(const std::optional<double>& rate) {
  constexpr double kWorthAColour = 64 << 10;
  if (!rate || std::abs(*rate) < kWorthAColour) return Paint::kPlain;
  return *rate > 0 ? Paint::kGrew : Paint::kShrank;
}

std::string resident_curve(const Model& model, std::size_t columns) {
  const Curve& curve = model.resident_curve;
  if (curve.values.size() < 2) return "";
  auto [low, high] = std::ranges::minmax(curve.values);
  constexpr double kNoise = 0.005;  // of the whole: less is drawn as level
  double floor = high - low < kNoise * high ? high : low;
  return sparkline(curve.times_ns, curve.values, curve.times_ns.front(), curve.times_ns.back(), floor, high, columns);
}

// Which of several processes grow fastest.
std::string ranking_text(const Model& model) {
  constexpr std::size_t kNamed = 5;
  std::vector<const ProcessRow*> ranked;
  for (const ProcessRow& row : model.processes)
    if (row.rate.value_or(0) > 0) ranked.push_back(&row);
  std::ranges::stable_sort(ranked, [](const ProcessRow* a, const ProcessRow* b) { return *a->rate > *b->rate; });
  std::string text;
  for (std::size_t i = 0; i < std::min(ranked.size(), kNamed); ++i) text += fmt::format("{}{} {}", i ? ", " : "", ranked[i]->name, per_minute(ranked[i]->rate));
  if (ranked.size() > kNamed) text += fmt::format(", {} more grow", ranked.size() - kNamed);
  return text;
}

class Header {
 public:
  Header(const View& view, std::size_t columns) : view_(view), model_(view.model), columns_(columns) {}

  std::vector<Line> lines() const {
    std::vector<Line> all = {title(), resident(), live()};
    if (!model_.limit.empty()) all.push_back(limit());
    if (std::string ranking = ranking_text(model_); !ranking.empty() && view_.state.process == 0)
      all.push_back(Line().add(pad_right("most", kLabel + 1), Paint::kDim).add(ranking));
    Line notice;
    if (!model_.lost.empty()) notice.add(model_.lost, Paint::kWarning);
    else if (!model_.state.empty()) notice.add(model_.state, Paint::kWarning);
    all.push_back(notice);
    return all;
  }

 private:
  Line title() const {
    Line left;
    left.add(model_.process, Paint::kStrong);
    if (view_.processes > 1 && view_.state.process) left.add(fmt::format("  {} of {}", view_.state.process, view_.processes - 1), Paint::kDim);
    for (const Line& right : {title_end(true, true), title_end(false, true)})
      if (width_of(left) + width_of(right) < columns_) return spread(left, right, columns_);
    return spread(left, title_end(false, false), columns_);
  }

  // What matters least goes first where it is narrow.
  Line title_end(bool with_marks, bool with_time) const {
    Line line;
    if (view_.state.paused) line.add(" paused ", Paint::kWarning, true).add("  ");
    std::uint64_t since_mark_ns = model_.marks_ns.empty() ? 0 : model_.elapsed_ns - std::min(model_.elapsed_ns, model_.marks_ns.back());
    if (with_marks && !model_.marks_ns.empty())
      line.add(fmt::format("{}, the last {} ago  ", counted(model_.marks_ns.size(), "mark"), human_duration(since_mark_ns)), Paint::kDim);
    if (with_time && model_.elapsed_ns) line.add(fmt::format("recording for {}", human_duration(model_.elapsed_ns)), Paint::kDim);
    return line;
  }

  Line figures(const char* label, const std::string& bytes, const std::optional<double>& rate) const {
    Line line;
    line.add(pad_right(label, kLabel), Paint::kDim).add(pad_left(bytes, kFigure), Paint::kStrong);
    line.add(pad_left(per_minute(rate), kRate), paint_of_rate(rate)).add("  ");
    return line;
  }

  Line resident() const {
    Line line = figures("RSS", figure(model_.resident), model_.resident_rate);
    constexpr std::size_t kWidest = 60;
    std::size_t used = width_of(line);
    line.add(resident_curve(model_, std::min(kWidest, columns_ > used + 1 ? columns_ - used - 1 : 0)));
    return line;
  }

  Line live() const {
    Line line = figures("live", live_of(model_), model_.live_rate), right = overhead();
    std::string what = model_.live_words + (model_.estimated ? "; estimated" : "");
    if (width_of(line) + what.size() + width_of(right) + 2 <= columns_) line.add(what, Paint::kDim);
    return spread(line, right, columns_);
  }

  Line overhead() const {
    Line line;
    std::string share = model_.overhead ? fmt::format("{:.1f} %", *model_.overhead) : std::string("-");
    constexpr double kMuch = 50;
    bool above = model_.overhead && *model_.overhead > (model_.budget > 0 ? model_.budget : kMuch);
    line.add("overhead ", Paint::kDim).add(share, above ? Paint::kWarning : Paint::kPlain);
    line.add(model_.budget > 0 ? fmt::format(" of its CPU, budget {:g} %", model_.budget) : " of its CPU", Paint::kDim);
    return line;
  }

  Line limit() const {
    Line line;
    Paint paint = model_.near_limit ? Paint::kWarning : Paint::kPlain;
    line.add(pad_right("limit", kLabel + 1), Paint::kDim).add(model_.limit, paint);
    if (model_.time_left.empty()) return line;
    std::string left = model_.time_left;
    if (width_of(line) + 2 + left.size() > columns_) left = left.substr(0, left.find(" ("));
    return line.add(", ").add(left, Paint::kWarning);
  }

  const View& view_;
  const Model& model_;
  std::size_t columns_;
};

Line tabs_line(const View& view, std::size_t columns) {
  Line left, right;
  std::size_t number = 0;
  for (Tab tab : tabs_of(view.model)) {
    std::string name = fmt::format(" {} {} ", ++number, name_of(tab));
    left.add(name, tab == view.state.tab ? Paint::kStrong : Paint::kDim, tab == view.state.tab);
  }
  if (!view.state.filter.empty() && !view.state.typing_filter) right.add(fmt::format("filter: {}", view.state.filter), Paint::kWarning).add("  ");
  if (view.state.tab == Tab::kMemory) right.add(fmt::format("by {}{}", name_of(view.state.sort), view.state.ascending ? ", least first" : ""), Paint::kDim);
  return spread(left, right, columns);
}

Line footer(const View& view) {
  Line line;
  if (view.state.typing_filter) return line.add("filter: ", Paint::kStrong).add(view.state.filter).add(" ", Paint::kPlain, true);
  if (!view.message.empty()) return line.add(view.message, Paint::kStrong);
  for (const KeyHelp& key : footer_keys(view.state)) line.add(key.key, Paint::kStrong).add(fmt::format(" {}   ", key.word), Paint::kDim);
  return line;
}

// The part between header and footer.
class Body {
 public:
  Body(const View& view, std::size_t columns, std::size_t rows) : view_(view), model_(view.model), state_(view.state), columns_(columns), rows_(rows) {}

  std::vector<Line> lines(Screen& screen) const {
    if (state_.help) return scrolled(help_lines(columns_), screen);
    if (state_.tab != Tab::kMemory) return look(screen);
    std::vector<const SiteRow*> rows = sorted_rows(model_, state_);
    if (state_.stack_open && !rows.empty()) return stack(*rows[position_of(rows, state_)], screen);
    return sites(rows, screen);
  }

 private:
  std::vector<Line> scrolled(const std::vector<Line>& all, Screen& screen) const {
    screen.page = rows_;
    screen.last_scroll = all.size() > rows_ ? all.size() - rows_ : 0;
    auto first = all.begin() + static_cast<std::ptrdiff_t>(std::min(state_.scroll, screen.last_scroll));
    return {first, first + static_cast<std::ptrdiff_t>(std::min<std::size_t>(rows_, static_cast<std::size_t>(all.end() - first)))};
  }

  std::vector<Line> look(Screen& screen) const {
    std::vector<Line> shown;
    const LookPage* page = view_.page;
    if (!view_.look_of.empty()) shown.push_back(Line().add(fmt::format("of {}; [ and ] choose another process", view_.look_of), Paint::kDim));
    if (!page || (!page->age_ns && page->problem.empty())) shown.push_back(Line().add("looking ...", Paint::kDim));
    else if (!page->problem.empty()) shown.push_back(Line().add(page->problem, Paint::kWarning));
    if (page)
      for (const Line& line : page->lines)
        if (state_.filter.empty() || matches(line.text(), state_.filter)) shown.push_back(line);
    return scrolled(shown, screen);
  }

  std::vector<Line> stack(const SiteRow& row, Screen& screen) const {
    std::vector<Line> shown;
    shown.push_back(Line().add(row.name, Paint::kStrong));
    std::string figures = fmt::format("{} live", row.live_text);
    if (row.blocks) figures += fmt::format(" in {}", counted(static_cast<std::size_t>(std::max(*row.blocks, 0.0)), "block"));
    figures += fmt::format(", {} in the last minute", row.rate ? signed_bytes(*row.rate) + " a minute" : "growth not known yet");
    if (row.since_mark) figures += fmt::format(", {} since the mark", signed_bytes(*row.since_mark));
    shown.push_back(Line().add(figures));
    shown.emplace_back();
    for (const std::string& frame : row.stack) shown.push_back(Line().add("  ").add(frame));
    return scrolled(shown, screen);
  }

  std::vector<Line> sites(const std::vector<const SiteRow*>& rows, Screen& screen) const {
    SiteColumns table(model_, state_.sort, columns_);
    std::vector<Line> shown = {table.titles()};
    std::size_t room = rows_ > 1 ? rows_ - 1 : 0, at = position_of(rows, state_);
    screen.page = room;
    std::size_t first = state_.selected && at >= room ? at - room + 1 : 0;
    for (std::size_t i = first; i < rows.size() && i < first + room; ++i) {
      shown.push_back(table.row(*rows[i]));
      shown.back().reversed = state_.selected && i == at;
    }
    if (rows.empty()) shown.push_back(Line().add(nothing(), Paint::kDim));
    bool all = first + room > rows.size();
    if (all && model_.rest_sites && state_.filter.empty() && shown.size() < rows_)
      shown.push_back(Line().add(fmt::format("{} with {}", counted(model_.rest_sites, "more call site"), bytes_text(model_.rest_live)), Paint::kDim));
    return shown;
  }

  std::string nothing() const {
    if (!state_.filter.empty()) return "No call site matches the filter.";
    if (!model_.live) return "What is still in use is not known yet.";
    return model_.elapsed_ns ? "Nothing that was allocated since dwell attached is still in use." : "";
  }

  const View& view_;
  const Model& model_;
  const State& state_;
  std::size_t columns_, rows_;
};

}  // namespace

Screen lay_out(const View& view, std::size_t columns, std::size_t rows) {
  Screen screen;
  screen.lines = Header(view, columns).lines();
  screen.lines.push_back(tabs_line(view, columns));
  std::size_t foot = 1, head = screen.lines.size();
  std::size_t room = rows > head + foot ? rows - head - foot : 0;
  std::vector<Line> body = Body(view, columns, room).lines(screen);
  body.resize(room);
  screen.lines.insert(screen.lines.end(), body.begin(), body.end());
  screen.lines.resize(std::max(rows, foot) - foot);
  screen.lines.push_back(footer(view));
  for (Line& line : screen.lines) line = cut(line, columns);
  return screen;
}

std::string plain_text(const Model& model, std::size_t columns, std::size_t most_rows) {
  std::string text = fmt::format("{}  {}", model.process, human_duration(model.elapsed_ns));
  text += fmt::format("  RSS {} {}  live {} {}", figure(model.resident), per_minute(model.resident_rate), live_of(model), per_minute(model.live_rate));
  if (std::string ranking = ranking_text(model); !ranking.empty()) text += "  most: " + ranking;
  if (model.overhead) text += fmt::format("  overhead {:.1f} %", *model.overhead);
  if (!model.limit.empty()) text += fmt::format("  limit {}{}{}", model.limit, model.time_left.empty() ? "" : ", ", model.time_left);
  for (const std::string& one : {model.lost, model.state})
    if (!one.empty()) text += "  " + one;
  text += "\n";
  State by_growth;
  std::vector<const SiteRow*> rows = sorted_rows(model, by_growth);
  for (std::size_t i = 0; i < std::min(rows.size(), most_rows); ++i) {
    std::string line = fmt::format("  {:>15}  {:>9}  {}", per_minute(rows[i]->rate), rows[i]->live_text, rows[i]->name);
    text += (columns ? cut_end(line, columns) : line) + "\n";
  }
  return text;
}

}  // namespace dwell::top
