// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/page_sites.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "ui/call_site.h"
#include "ui/escape.h"
#include "ui/text_width.h"
#include "userspace/memory/part.h"
#include "userspace/memory/tick.h"

namespace dwell {
namespace {

enum FrameFlag : std::uint32_t { kInlined = 1, kUnnamed = 2, kAllocator = 4, kLibrary = 8 };

std::uint32_t flags_of(const ReportFrame& frame) {
  return (frame.inlined ? kInlined : 0u) | (frame.named ? 0u : kUnnamed) | (is_allocator(frame.function) ? kAllocator : 0u) |
         (is_library_internal(frame) ? kLibrary : 0u);
}

}  // namespace

PageSites::PageSites(const Recording& recording, const FrameTexts& texts, const SiteTable& sites, const MemoryReport& report)
    : report_(report), block_units_(recording.sampled() ? static_cast<double>(kScaledBlock) : 1) {
  text_number("");
  by_reading_.resize(texts.reading_count());
  std::vector<Path> by_site;
  for (const SiteReport& site : report.sites) {
    by_site.push_back(path_of(recording, texts, sites.series_of(site.site).front()));
    incomplete_.push_back(text_number(site.incomplete));
    held_.push_back(text_number(holding_text(site.holding)));
    holding_.push_back(text_number(holding_sentence(site.holding)));
  }
  sort_paths(std::move(by_site));
}

PageSites::Path PageSites::path_of(const Recording& recording, const FrameTexts& texts, std::uint32_t series) {
  const CallStack& stack = recording.stacks[static_cast<std::size_t>(memory_of(recording).series[series].stack)];
  Path path;
  for (std::uint32_t location : stack.locations) {
    std::vector<std::uint32_t>& known = by_reading_[texts.reading(location)];
    if (known.empty())
      for (const ReportFrame& frame : texts.frames(location)) known.push_back(frame_number(frame));
    path.insert(path.end(), known.begin(), known.end());
  }
  if (path.empty()) {
    ReportFrame unknown;
    unknown.function = "[unknown]";
    path.push_back(frame_number(unknown));
  }
  std::ranges::reverse(path);
  return path;
}

std::uint32_t PageSites::text_number(const std::string& text) {
  auto [at, added] = text_numbers_.try_emplace(text, static_cast<std::uint32_t>(names_.size()));
  if (added) names_.push_back(printable(text));
  return at->second;
}

std::uint32_t PageSites::frame_number(const ReportFrame& frame) {
  Frame made{text_number(frame.function), text_number(bare_name(frame.function)), text_number(frame.file), frame.line,
             text_number(frame.module), flags_of(frame), 0};
  std::string group = fmt::format("{} {} {} {}", made.function, made.file, made.module, made.flags);
  made.group = group_numbers_.try_emplace(group, static_cast<std::uint32_t>(group_numbers_.size())).first->second;
  auto [at, added] =
      frame_numbers_.try_emplace(fmt::format("{} {}", group, frame.line), static_cast<std::uint32_t>(frames_.size()));
  if (added) frames_.push_back(made);
  return at->second;
}

void PageSites::sort_paths(std::vector<Path> by_site) {
  std::vector<std::uint32_t> order(by_site.size());
  for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::sort(order, [&](std::uint32_t a, std::uint32_t b) { return by_site[a] < by_site[b]; });
  path_of_site_.resize(by_site.size());
  for (std::uint32_t site : order) {
    if (paths_.empty() || paths_.back() != by_site[site]) paths_.push_back(std::move(by_site[site]));
    path_of_site_[site] = static_cast<std::uint32_t>(paths_.size() - 1);
  }
}

void PageSites::write(Json& json, NumberColumns& columns) const {
  json["block_units"] = block_units_;
  json["texts"] = names_;
  write_frames(columns);
  write_paths(columns);
  write_figures(columns);
}

void PageSites::write_frames(NumberColumns& columns) const {
  constexpr std::pair<const char*, std::uint32_t Frame::*> kColumns[] = {
      {"function", &Frame::function}, {"short", &Frame::short_name}, {"file", &Frame::file}, {"line", &Frame::line},
      {"module", &Frame::module}, {"flags", &Frame::flags}, {"group", &Frame::group}};
  for (const auto& [name, member] : kColumns) {
    std::vector<std::uint32_t> numbers;
    for (const Frame& frame : frames_) numbers.push_back(frame.*member);
    columns.add(std::string("frame_") + name, numbers);
  }
}

void PageSites::write_paths(NumberColumns& columns) const {
  std::vector<std::size_t> kept, added;
  std::vector<std::uint32_t> frames;
  for (std::size_t i = 0; i < paths_.size(); ++i) {
    const Path& path = paths_[i];
    std::size_t same = 0;
    if (i) same = static_cast<std::size_t>(std::ranges::mismatch(path, paths_[i - 1]).in1 - path.begin());
    kept.push_back(same);
    added.push_back(path.size() - same);
    frames.insert(frames.end(), path.begin() + static_cast<std::ptrdiff_t>(same), path.end());
  }
  columns.add("path_kept", kept);
  columns.add("path_added", added);
  columns.add("path_frames", frames);
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
  columns.add("site_path", path_of_site_);
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
