// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/page_paths.h"

#include <absl/strings/str_replace.h>
#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "ui/call_site.h"
#include "ui/escape.h"
#include "ui/text_width.h"
#include "userspace/views/frames.h"

namespace dwell {
namespace {

enum FrameFlag : std::uint32_t { kInlined = 1, kUnnamed = 2, kAllocator = 4, kLibrary = 8 };

std::uint32_t flags_of(const ReportFrame& frame) {
  return (frame.inlined ? kInlined : 0u) | (frame.named ? 0u : kUnnamed) |
         (is_allocator(frame.function) ? kAllocator : 0u) | (is_library_internal(frame) ? kLibrary : 0u);
}

}  // namespace

std::uint32_t PagePaths::text_number(const std::string& text) {
  auto [at, added] = text_numbers_.try_emplace(text, static_cast<std::uint32_t>(names_.size()));
  if (added) names_.push_back(printable(text));
  return at->second;
}

std::uint32_t PagePaths::frame_number(const ReportFrame& frame) {
  Frame made{text_number(frame.function),
             text_number(bare_name(frame.function)),
             text_number(frame.file),
             frame.line,
             text_number(frame.module),
             flags_of(frame),
             0};
  std::string group = fmt::format("{} {} {} {}", made.function, made.file, made.module, made.flags);
  made.group =
      group_numbers_.try_emplace(group, static_cast<std::uint32_t>(group_numbers_.size())).first->second;
  auto [at, added] = frame_numbers_.try_emplace(fmt::format("{} {}", group, frame.line),
                                                static_cast<std::uint32_t>(frames_.size()));
  if (added) frames_.push_back(made);
  files_.try_emplace(made.file, frame.file);
  modules_.try_emplace(made.module, frame.module);
  return at->second;
}

PagePaths::Path PagePaths::path_of(const std::vector<ReportFrame>& stack) {
  Path path;
  for (const ReportFrame& frame : stack) path.push_back(frame_number(frame));
  return whole(std::move(path));
}

PagePaths::Path PagePaths::whole(Path leaf_first) {
  if (leaf_first.empty()) {
    ReportFrame unknown;
    unknown.function = "[unknown]";
    leaf_first.push_back(frame_number(unknown));
  }
  std::ranges::reverse(leaf_first);
  return leaf_first;
}

void PagePaths::add(Path path, std::size_t inner) {
  inner_.push_back(std::min(inner, path.size() - 1));
  by_site_.push_back(std::move(path));
}

// By call site: the number of its path.
std::vector<std::uint32_t> PagePaths::sort_paths() {
  std::vector<std::uint32_t> order(by_site_.size()), path_of_site(by_site_.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::sort(order, [&](std::uint32_t a, std::uint32_t b) { return by_site_[a] < by_site_[b]; });
  for (std::uint32_t site : order) {
    if (paths_.empty() || paths_.back() != by_site_[site]) paths_.push_back(std::move(by_site_[site]));
    path_of_site[site] = static_cast<std::uint32_t>(paths_.size() - 1);
  }
  return path_of_site;
}

void PagePaths::write(Json& json, NumberColumns& columns) {
  json["texts"] = names_;
  columns.add("site_inner", inner_);
  columns.add("site_path", sort_paths());
  write_frames(columns);
  write_paths(columns);
}

// Frames of all paths, leaf first, each once: those that ask for memory before the others.
std::vector<std::uint32_t> PagePaths::frames_by_weight() const {
  std::vector<std::uint32_t> order;
  std::vector<bool> is_in(frames_.size());
  auto add = [&](std::uint32_t frame) {
    if (!is_in[frame]) order.push_back(frame);
    is_in[frame] = true;
  };
  for (std::size_t i = 0; i < by_site_.size(); ++i) add(by_site_[i][by_site_[i].size() - 1 - inner_[i]]);
  for (const Path& path : by_site_) std::for_each(path.rbegin(), path.rend(), add);
  return order;
}

void PagePaths::write_sources(SourceLines& sources, const SourceRemark& remark, Json& json,
                              NumberColumns& columns) const {
  constexpr std::size_t kMostBytes = 512 << 10, kMostExcerpts = 4000;
  std::vector<std::uint32_t> source_of(frames_.size());
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> known;  // by file and line
  Json excerpts = Json::array();
  std::size_t bytes = 0, places = 0, without_room = 0;
  for (std::uint32_t number : frames_by_weight()) {
    const Frame& frame = frames_[number];
    if (frame.line == 0 || frame.file == 0) continue;
    auto [at, fresh] = known.try_emplace({frame.file, frame.line}, 0);
    if (fresh) {
      ++places;
      bool room = bytes < kMostBytes && excerpts.size() < kMostExcerpts;
      without_room += !room;
      if (std::optional<SourceExcerpt> found =
              room ? sources.around(files_.at(frame.file), frame.line) : std::nullopt) {
        Json lines = Json::array();
        for (const std::string& line : found->lines) {
          lines.push_back(printable(absl::StrReplaceAll(line, {{"\t", "    "}})));
          bytes += line.size();
        }
        excerpts.push_back({{"path", printable(found->path)},
                            {"first", found->first},
                            {"lines", std::move(lines)},
                            {"remark", remark(modules_.at(frame.module), found->modified_unix_ns)}});
        at->second = static_cast<std::uint32_t>(excerpts.size());
      }
    }
    source_of[number] = at->second;
  }
  json["sources"] = {{"places", places}, {"without_room", without_room}, {"excerpts", std::move(excerpts)}};
  columns.add("frame_source", source_of);
}

void PagePaths::write_frames(NumberColumns& columns) const {
  constexpr std::pair<const char*, std::uint32_t Frame::*> kColumns[] = {
      {"function", &Frame::function}, {"short", &Frame::short_name}, {"file", &Frame::file},
      {"line", &Frame::line},         {"module", &Frame::module},    {"flags", &Frame::flags},
      {"group", &Frame::group}};
  for (const auto& [name, member] : kColumns) {
    std::vector<std::uint32_t> numbers;
    for (const Frame& frame : frames_) numbers.push_back(frame.*member);
    columns.add(std::string("frame_") + name, numbers);
  }
}

void PagePaths::write_paths(NumberColumns& columns) const {
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

}  // namespace dwell
