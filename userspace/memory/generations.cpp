// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/generations.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <memory>

#include "ui/call_site.h"
#include "ui/text_table.h"
#include "ui/values.h"
#include "ui/words.h"
#include "userspace/base/text.h"
#include "userspace/memory/part.h"
#include "userspace/memory/selection.h"
#include "userspace/memory/series_figures.h"
#include "userspace/memory/sites.h"
#include "userspace/views/frames.h"

namespace dwell {
namespace {

bool is_memory_series(const Series& series) { return series.kind == MemoryKind::kHeap || series.kind == MemoryKind::kMapping; }

class GenerationCounter {
 public:
  explicit GenerationCounter(RecordingRef recording) : ref_(std::move(recording)), recording_(*ref_), memory_(memory_of(recording_)) {
    std::uint64_t start_ns = recording_.start_ns(), from_ns = 0;
    for (const Mark& mark : recording_.marks) {
      std::uint64_t since_ns = std::max(mark.time_ns, start_ns) - start_ns;
      if (since_ns < from_ns) continue;  // marks are in order of time, or the file is not ours
      generations_.push_back({from_ns, since_ns});
      from_ns = since_ns;
    }
    generations_.push_back({from_ns, recording_.end_ns() - start_ns});
  }

  std::vector<Generation> count(bool survivors, std::size_t most_sites) {
    for (const MemoryTick& tick : memory_.ticks)
      for (std::size_t row = 0; row < tick.rows.size(); ++row) {
        if (!is_memory_series(memory_.series[tick.rows[row].series])) continue;
        Sum sum = allocated_in(tick, row);
        Generation& generation = generations_[index_at(tick.start_ns)];
        generation.allocated_bytes += sum.bytes();
        generation.allocations += blocks_of(recording_, sum.block_units);
      }
    if (survivors) count_survivors(most_sites);
    return std::move(generations_);
  }

 private:
  std::size_t index_at(std::uint64_t time_ns) const {
    std::uint64_t since_ns = std::max(time_ns, recording_.start_ns()) - recording_.start_ns();
    std::size_t index = 0;
    while (index + 1 < generations_.size() && since_ns >= generations_[index].to_ns) ++index;
    return index;
  }

  void count_survivors(std::size_t most_sites) {
    auto texts = std::make_shared<const FrameTexts>(ref_);
    SiteTable table(ref_, texts, GroupBy::kStack);
    std::vector<std::map<std::uint32_t, Sum>> by_site(generations_.size());
    for (const LiveBlock& block : memory_.live.blocks)
      if (is_memory_series(memory_.series[block.series])) by_site[index_at(block.birth_ns)][table.site_of(block.series)].add(sum_of_block(recording_, block));
    for (std::size_t i = 0; i < generations_.size(); ++i) {
      Generation& generation = generations_[i];
      for (const auto& [site, sum] : by_site[i]) {
        double blocks = blocks_of(recording_, sum.block_units);
        generation.retained_bytes += sum.bytes();
        generation.retained_blocks += blocks;
        generation.sites.push_back({table.stack(site), sum.bytes(), blocks});
      }
      std::ranges::stable_sort(generation.sites, [](const GenerationSite& a, const GenerationSite& b) { return a.bytes > b.bytes; });
      if (generation.sites.size() > most_sites) generation.sites.erase(generation.sites.begin() + static_cast<std::ptrdiff_t>(most_sites), generation.sites.end());
    }
  }

  RecordingRef ref_;
  const Recording& recording_;
  const MemoryPart& memory_;
  std::vector<Generation> generations_;
};

std::string why_not_known(const Recording& recording) {
  const MemoryPart& memory = memory_of(recording);
  if (memory.ticks.empty()) return "memory was not recorded by call site";
  if (!memory.windows.ticks.empty()) return "memory was recorded within a budget, where blocks are not followed one by one";
  Result<TickRange> whole = tick_range(recording, {});
  if (!whole || !live_set_fits(recording, *whole)) return "the recording was cut off before its live blocks were listed";
  return "";
}

std::string span_text(const Generation& generation) {
  return fmt::format("{} to {}", generation.from_ns ? human_duration(generation.from_ns) : "start", human_duration(generation.to_ns));
}

}  // namespace

Generations generations_of(RecordingRef recording, std::size_t most_sites) {
  Generations result;
  if (recording->marks.empty()) return result;
  result.not_known = why_not_known(*recording);
  result.all = GenerationCounter(recording).count(result.not_known.empty(), most_sites);
  return result;
}

std::string generations_text(const Generations& generations, const TextStyle& style) {
  if (generations.all.empty()) return "";
  bool known = generations.not_known.empty();
  std::string text = "\n" + style.paint(Paint::kStrong, "Generations: what was allocated between marks, and is still there") + "\n";
  if (!known) text += style.paragraph(Paint::kWarning, "What is still there is not known: " + generations.not_known + ".");
  auto fill = [&](std::size_t columns) {
    TextTable table({{"generation"}, {"time"}, {"allocated", 2}, {"still there"}, {"blocks", 3}, {"most of it"}});
    for (std::size_t i = 0; i < generations.all.size(); ++i) {
      const Generation& one = generations.all[i];
      std::string site = one.sites.empty() ? "" : call_site_line(one.sites[0].stack, columns);
      table.add({{fmt::format("{}", i)},
                 {span_text(one)},
                 {bytes_text(one.allocated_bytes)},
                 {known ? bytes_text(one.retained_bytes) : "-", Paint::kStrong},
                 {known ? count_text(one.retained_blocks) : "-"},
                 {site}});
    }
    return table;
  };
  return text + fill(fill(0).last_column_width(style)).write(style);
}

Json generations_json(const Generations& generations) {
  Json list = Json::array();
  bool known = generations.not_known.empty();
  for (const Generation& one : generations.all) {
    Json sites = Json::array();
    for (const GenerationSite& site : one.sites)
      sites.push_back({{"bytes", site.bytes}, {"blocks", site.blocks}, {"call_site", call_site_line(site.stack, 0)}});
    Json entry = {{"from_ns", one.from_ns}, {"to_ns", one.to_ns}, {"allocated_bytes", one.allocated_bytes}, {"allocations", one.allocations}};
    entry["retained_bytes"] = known ? Json(one.retained_bytes) : Json(nullptr);
    entry["retained_blocks"] = known ? Json(one.retained_blocks) : Json(nullptr);
    entry["sites"] = std::move(sites);
    list.push_back(std::move(entry));
  }
  return list;
}

}  // namespace dwell
