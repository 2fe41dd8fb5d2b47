// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/page_sites.h"

#include <algorithm>
#include <cmath>

#include "userspace/memory/asking_frames.h"
#include "userspace/memory/part.h"
#include "userspace/memory/tick.h"

namespace dwell {
namespace {

const CallStack& stack_of(const Recording& recording, std::uint32_t series) {
  return recording.stacks[static_cast<std::size_t>(memory_of(recording).series[series].stack)];
}

}  // namespace

PageSites::PageSites(const Recording& recording, const FrameTexts& texts, const SiteTable& sites, const MemoryReport& report)
    : report_(report), block_units_(recording.sampled() ? static_cast<double>(kScaledBlock) : 1) {
  by_reading_.resize(texts.reading_count());
  AskingFrames asking(texts);
  for (std::size_t i = 0; i < std::min(report.sites.size(), Wrappers::kMostLearnt); ++i)
    asking.learn(stack_of(recording, sites.series_of(report.sites[i].site).front()));
  for (const SiteReport& site : report.sites) {
    const CallStack& stack = stack_of(recording, sites.series_of(site.site).front());
    paths_.add(path_of(stack, texts), asking.before_site(stack));
    incomplete_.push_back(paths_.text_number(site.incomplete));
    held_.push_back(paths_.text_number(holding_text(site.holding)));
    holding_.push_back(paths_.text_number(holding_sentence(site.holding)));
  }
}

PagePaths::Path PageSites::path_of(const CallStack& stack, const FrameTexts& texts) {
  PagePaths::Path path;
  for (std::uint32_t location : stack.locations) {
    std::vector<std::uint32_t>& known = by_reading_[texts.reading(location)];
    if (known.empty())
      for (const ReportFrame& frame : texts.frames(location)) known.push_back(paths_.frame_number(frame));
    path.insert(path.end(), known.begin(), known.end());
  }
  return paths_.whole(std::move(path));
}

void PageSites::write(Json& json, NumberColumns& columns) {
  json["block_units"] = block_units_;
  paths_.write(json, columns);
  write_figures(columns);
}

void PageSites::write_figures(NumberColumns& columns) const {
  auto add = [&](const char* name, auto number) {
    std::vector<std::int64_t> numbers;
    for (const SiteReport& site : report_.sites) numbers.push_back(static_cast<std::int64_t>(number(site)));
    columns.add(std::string("site_") + name, numbers);
  };
  auto add_figure = [&](const char* name, double MemoryFigures::*figure, double units) {
    add(name, [=](const SiteReport& site) { return std::llround(site.figures.*figure * units); });
  };
  columns.add("site_incomplete", incomplete_);
  columns.add("site_held", held_);
  columns.add("site_holding", holding_);
  add("process", [](const SiteReport& site) { return site.process; });
  add("kind", [](const SiteReport& site) { return site.kind; });
  add("stacks", [](const SiteReport& site) { return site.stacks; });
  // One more than the age, so that 0 is "not known".
  add("oldest", [](const SiteReport& site) { return site.oldest_age_ns ? *site.oldest_age_ns + 1 : 0; });
  add("median", [](const SiteReport& site) { return site.median_age_ns ? *site.median_age_ns + 1 : 0; });
  add("growth_known", [](const SiteReport& site) { return site.figures.growth_per_minute.has_value(); });
  add("growth_per_minute", [](const SiteReport& site) { return std::llround(site.figures.growth_per_minute.value_or(0)); });
  add_figure("retained_error", &MemoryFigures::retained_error, 1);
  add_figure("retained", &MemoryFigures::retained_blocks, block_units_);
  add_figure("retained_bytes", &MemoryFigures::retained_bytes, 1);
  add_figure("allocs", &MemoryFigures::allocations, block_units_);
  add_figure("alloc_bytes", &MemoryFigures::allocated_bytes, 1);
  add_figure("frees", &MemoryFigures::frees, block_units_);
  add_figure("freed_bytes", &MemoryFigures::freed_bytes, 1);
  add_figure("temporary", &MemoryFigures::temporary_blocks, block_units_);
  add_figure("temporary_bytes", &MemoryFigures::temporary_bytes, 1);
  add_figure("peak", &MemoryFigures::peak_blocks, block_units_);
  add_figure("peak_bytes", &MemoryFigures::peak_bytes, 1);
}

}  // namespace dwell
