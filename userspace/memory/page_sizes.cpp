// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/page_sizes.h"

#include <bit>
#include <cstdint>
#include <map>
#include <vector>

#include "userspace/memory/part.h"
#include "userspace/memory/selection.h"
#include "userspace/memory/series_figures.h"

namespace dwell {

void write_sizes(const Recording& recording, const SiteTable& sites, const MemoryReport& report, NumberColumns& columns) {
  std::vector<std::map<std::uint32_t, std::int64_t>> by_site(sites.size());
  for (const LiveBlock& block : memory_of(recording).live.blocks) {
    if (block.part) continue;
    const auto size_class = static_cast<std::uint32_t>(std::bit_width(block.size | 1) - 1);
    by_site[sites.site_of(block.series)][size_class] += static_cast<std::int64_t>(sum_of_block(recording, block).block_units);
  }
  std::vector<std::size_t> counts;
  std::vector<std::uint32_t> classes;
  std::vector<std::int64_t> blocks;
  for (const SiteReport& site : report.sites) {
    counts.push_back(by_site[site.site].size());
    for (const auto& [size_class, number] : by_site[site.site]) {
      classes.push_back(size_class);
      blocks.push_back(number);
    }
  }
  columns.add("size_count", counts);
  columns.add("size_class", classes);
  columns.add("size_blocks", blocks);
}

}  // namespace dwell
