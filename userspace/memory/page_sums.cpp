// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/page_sums.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <vector>

#include "userspace/memory/program_groups.h"

namespace dwell {

void write_sums(const Recording& recording, const SiteTable& sites, const MemoryReport& report,
                const MemoryReport& summed, Json& json, NumberColumns& columns) {
  constexpr std::uint32_t kNone = ~0u;
  std::vector<std::uint32_t> row_of_site(sites.size(), kNone);
  for (std::uint32_t i = 0; i < report.sites.size(); ++i) row_of_site[report.sites[i].site] = i;
  ProgramGroups programs(recording, true);
  SiteTable by_program(recording, std::make_shared<FrameTexts>(recording), GroupBy::kStack, &programs);
  std::vector<std::uint32_t> leads, known;
  std::vector<std::int64_t> growth;
  for (const SiteReport& site : summed.sites) {
    if (site.shares.size() < 2) continue;
    std::uint32_t first = kNone;
    for (std::uint32_t series : by_program.series_of(site.site))
      first = std::min(first, row_of_site[sites.site_of(series)]);
    if (first == kNone) continue;
    leads.push_back(first);
    known.push_back(site.figures.growth_per_minute.has_value());
    growth.push_back(std::llround(site.figures.growth_per_minute.value_or(0)));
  }
  json["leads"] = Json::array();
  for (std::size_t i = 0; i < recording.processes.size(); ++i)
    json["leads"].push_back(programs.lead_of(static_cast<ProcessSlot>(i)));
  columns.add("sum_site", leads);
  columns.add("sum_growth_known", known);
  columns.add("sum_growth_per_minute", growth);
}

}  // namespace dwell
