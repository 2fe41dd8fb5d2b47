// SPDX-License-Identifier: Apache-2.0
#include "userspace/views/sites.h"

#include <absl/container/flat_hash_map.h>

#include <algorithm>
#include <optional>

namespace dwell {

namespace {

ReportFrame unknown_frame() {
  ReportFrame frame;
  frame.function = "[unknown]";
  return frame;
}

std::vector<ReportFrame> frames_of(const CallStack& stack, const FrameTexts& texts) {
  std::vector<ReportFrame> frames;
  for (std::uint32_t location : stack.locations) {
    std::vector<ReportFrame> here = texts.frames(location);
    frames.insert(frames.end(), std::make_move_iterator(here.begin()), std::make_move_iterator(here.end()));
  }
  if (frames.empty()) frames.push_back(unknown_frame());
  return frames;
}

ReportFrame caller_of_allocator(const std::vector<ReportFrame>& frames) {
  auto it = std::ranges::find_if(frames, [](const ReportFrame& frame) { return !is_allocator(frame.function); });
  return it == frames.end() ? frames.back() : *it;
}

// The one frame by which a group is called.
std::vector<ReportFrame> group_frame(const std::vector<ReportFrame>& frames, GroupBy group) {
  ReportFrame caller = caller_of_allocator(frames), result;
  if (group == GroupBy::kFunction) {
    result.function = caller.function;
    result.file = caller.file;
    result.module = caller.module;
    result.named = caller.named;
  } else {
    result.module = caller.module;
    result.function = caller.module.empty() ? "[unknown]" : std::string(base_name(caller.module));
  }
  return {result};
}

std::string key_of(const Series& series, const CallStack& stack, const FrameTexts& texts) {
  std::string key = {static_cast<char>(series.process), static_cast<char>(series.kind), static_cast<char>(stack.end)};
  for (std::uint32_t location : stack.locations) {
    std::uint32_t reading = texts.reading(location);
    key.append(reinterpret_cast<const char*>(&reading), sizeof reading);
  }
  return key;
}

std::string key_of(const Series& series, const ReportFrame& frame) {
  std::string key = {static_cast<char>(series.process), static_cast<char>(series.kind)};
  return key + frame.function + '\n' + frame.file + '\n' + frame.module;
}

}  // namespace

SiteTable::SiteTable(const Recording& recording, const FrameTexts& texts, GroupBy group) {
  absl::flat_hash_map<std::string, std::uint32_t> known;
  for (const Series& series : recording.series) {
    const CallStack& stack = recording.stacks[static_cast<std::size_t>(series.stack)];
    std::vector<ReportFrame> frames;
    std::string key;
    if (group == GroupBy::kStack) {
      key = key_of(series, stack, texts);
    } else {
      frames = group_frame(frames_of(stack, texts), group);
      key = key_of(series, frames.front());
    }
    auto [it, added] = known.try_emplace(key, static_cast<std::uint32_t>(sites_.size()));
    if (added) {
      if (group == GroupBy::kStack) frames = frames_of(stack, texts);
      std::string incomplete = group == GroupBy::kStack ? incomplete_because(stack.end) : "";
      sites_.push_back({series.kind, series.process, std::move(frames), std::move(incomplete), 0});
    }
    ++sites_[it->second].stacks;
    site_of_.push_back(it->second);
  }
}

}  // namespace dwell
