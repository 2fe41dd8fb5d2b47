// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/selection.h"

#include <fmt/core.h>
#include <regex.h>

#include <algorithm>
#include <memory>
#include <string_view>

#include "userspace/memory/sampling.h"
#include "userspace/memory/part.h"

namespace dwell {

namespace {

// A name in a hostile file may be very long, and some expressions take time that is not linear in that.
constexpr std::size_t kMostMatched = 2048;

struct FreeRegex {
  void operator()(regex_t* regex) const {
    ::regfree(regex);
    delete regex;
  }
};
using Regex = std::unique_ptr<regex_t, FreeRegex>;

bool matches(const Regex& regex, std::string_view text) {
  regmatch_t range{0, static_cast<regoff_t>(std::min(text.size(), kMostMatched))};
  return ::regexec(regex.get(), text.data(), 1, &range, REG_STARTEND) == 0;
}

std::vector<bool> readings_that_match(const FrameTexts& texts, const Regex& regex) {
  std::vector<bool> result(texts.reading_count());
  for (std::uint32_t i = 0; i < result.size(); ++i) {
    std::vector<ReportFrame> frames = texts.frames_of_reading(i);
    result[i] = std::ranges::any_of(frames, [&](const ReportFrame& frame) {
      return matches(regex, frame.function) || matches(regex, frame.file) || matches(regex, frame.module);
    });
  }
  return result;
}

Result<Regex> compiled(const std::string& pattern) {
  auto regex = std::make_unique<regex_t>();
  int failed = ::regcomp(regex.get(), pattern.c_str(), REG_EXTENDED | REG_NOSUB);
  if (failed == 0) return Regex(regex.release());
  char why[128];
  ::regerror(failed, regex.get(), why, sizeof why);
  return Error{fmt::format("read the regular expression '{}': {}", pattern, why),
               "put a backslash before characters that stand for themselves, as in 'operator\\+'", Exit::kUsage};
}

// By stack: whether any of its locations has the property. A stack without locations is called [unknown].
template <typename HasProperty>
std::vector<bool> stacks_with(const Recording& recording, bool unknown_has, HasProperty has) {
  std::vector<bool> result(recording.stacks.size());
  for (std::size_t i = 0; i < result.size(); ++i) {
    const std::vector<std::uint32_t>& locations = recording.stacks[i].locations;
    result[i] = locations.empty() ? unknown_has : std::ranges::any_of(locations, has);
  }
  return result;
}

}  // namespace

Result<Selection> select_series(const Recording& recording, const FrameTexts& texts, const MemoryFilter& filter) {
  std::vector<bool> by_site(recording.stacks.size(), true), by_module(recording.stacks.size(), true);
  if (!filter.site.empty()) {
    Result<Regex> regex = compiled(filter.site);
    if (!regex) return regex.error();
    std::vector<bool> readings = readings_that_match(texts, *regex);
    by_site = stacks_with(recording, matches(*regex, "[unknown]"),
                          [&](std::uint32_t location) { return readings[texts.reading(location)]; });
  }
  if (!filter.module.empty()) {
    by_module = stacks_with(recording, false, [&](std::uint32_t location) {
      std::int32_t module = recording.locations[location].module;
      return module >= 0 && recording.modules[static_cast<std::size_t>(module)].path.find(filter.module) != std::string::npos;
    });
  }
  Selection selection;
  for (const Series& series : memory_of(recording).series) {
    bool in_scope = (!filter.kind || series.kind == *filter.kind) && (!filter.process || series.process == *filter.process);
    auto stack = static_cast<std::size_t>(series.stack);
    selection.in_scope.push_back(in_scope);
    selection.chosen.push_back(in_scope && by_site[stack] && by_module[stack]);
  }
  return selection;
}

Sum sum_of_block(const Recording& recording, const LiveBlock& block) {
  std::uint64_t blocks = block.part ? 0 : 1;
  if (!recording.sampled()) return {blocks, block.size, 0};
  if (memory_of(recording).series[block.series].kind != MemoryKind::kHeap) return {blocks * kScaledBlock, block.size, 0};
  Scaled scaled = scaled_block(block.size, recording.info.sample_period_bytes);
  return {scaled.blocks, scaled.bytes, scaled.variance};
}

Result<std::vector<SeriesFigures>> figures_of_thread(const Recording& recording, const TickRange& range, Tid thread) {
  if (!live_set_fits(recording, range)) {
    return Error{"the recording has no list of live blocks for the end of this range, and only that names threads",
                 "leave out --to, or record again and end the recording with Ctrl-C", Exit::kUsage};
  }
  std::vector<SeriesFigures> figures(memory_of(recording).series.size());
  for (const LiveBlock& block : memory_of(recording).live.blocks)
    if (block.tid == thread) figures[block.series].retained.add(sum_of_block(recording, block));
  return figures;
}

}  // namespace dwell
