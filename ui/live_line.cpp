// SPDX-License-Identifier: Apache-2.0
#include "ui/live_line.h"

#include <fmt/core.h>
#include <unistd.h>

#include <vector>

#include "ui/escape.h"
#include "ui/words.h"
#include "ui/text_width.h"
#include "ui/values.h"
#include "userspace/base/text.h"

namespace dwell {
namespace {

struct Part {
  std::string text;
  Paint paint = Paint::kPlain;
  bool must_stay = false;
};

std::string cost_text(double percent) {
  return fmt::format("cost {:.{}f} % of its CPU", percent, percent < 10 ? 1 : 0);
}

// In the order of the line; when it gets narrow, those that need not stay go from the right.
std::vector<Part> parts_of(const LiveFigures& figures) {
  if (!figures.activity.empty()) return {{printable(figures.activity), Paint::kPlain, true}};
  std::vector<Part> parts{{human_duration(figures.elapsed_ns), Paint::kDim, true}};
  double growth = figures.growth_per_minute.value_or(0);
  Paint trend = growth > 0 ? Paint::kGrew : growth < 0 ? Paint::kShrank : Paint::kPlain;
  parts.push_back({"live " + human_bytes(figures.live_bytes), Paint::kStrong, true});
  if (figures.growth_per_minute) parts.push_back({signed_bytes(growth) + "/min", trend});
  if (figures.partial) parts.push_back({"not all is seen", Paint::kWarning, true});
  if (figures.losses)
    parts.push_back({grouped(static_cast<std::int64_t>(figures.losses)) + " lost", Paint::kWarning, true});
  parts.push_back({human_count(figures.events_per_second) + " events/s"});
  if (figures.cost_percent) parts.push_back({cost_text(*figures.cost_percent)});
  if (!figures.losses && !figures.partial) parts.push_back({"nothing lost", Paint::kDim});
  return parts;
}

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    ssize_t size = ::write(fd, text.data(), text.size());
    if (size <= 0) return;  // a terminal that is gone has nothing to be told
    text.remove_prefix(static_cast<std::size_t>(size));
  }
}

}  // namespace

std::string live_line_text(const LiveFigures& figures, const TextStyle& style) {
  constexpr std::string_view kGap = "   ";
  std::vector<Part> parts = parts_of(figures);
  auto width = [&] {
    std::size_t sum = 0;
    for (const Part& part : parts) sum += display_width(part.text) + kGap.size();
    return sum - kGap.size();
  };
  for (std::size_t i = parts.size(); i-- > 0 && style.columns && width() >= style.columns;) {
    if (!parts[i].must_stay) parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(i));
  }
  // The last column stays free: some terminals begin a new line when it is filled.
  if (style.columns && width() >= style.columns) {
    std::size_t others = width() - display_width(parts.back().text);
    parts.back().text =
        cut_end(parts.back().text, style.columns > others + 1 ? style.columns - others - 1 : 0);
  }
  std::string line;
  for (const Part& part : parts)
    line += (line.empty() ? "" : std::string(kGap)) + style.paint(part.paint, part.text);
  return line;
}

void LiveLine::show(const LiveFigures& figures) {
  if (!style_.terminal) return;
  if (style_.columns) style_.columns = text_style_of(fd_).columns;  // the window may have been resized
  write_all(fd_, "\r\x1b[K" + live_line_text(figures, style_));
  shown_ = true;
}

void LiveLine::clear() {
  if (shown_) write_all(fd_, "\r\x1b[K");
  shown_ = false;
}

}  // namespace dwell
