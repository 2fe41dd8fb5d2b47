// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/page.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "userspace/memory/page_series.h"
#include "userspace/memory/page_sites.h"
#include "userspace/memory/page_sizes.h"
#include "userspace/memory/page_sources.h"
#include "userspace/memory/page_sums.h"

namespace dwell {
namespace {

// `others`: what is said of other subjects; where it is all there is to say, nothing is said of memory.
Json summary_json(const MemorySummary& summary, const std::vector<std::string>& others) {
  std::vector<std::string> verdicts = summary.verdicts;
  if (!others.empty()) std::erase(verdicts, "No memory was allocated or freed.");
  verdicts.insert(verdicts.end(), others.begin(), others.end());
  return {{"verdicts", std::move(verdicts)}, {"notes", summary.notes},   {"losses", summary.losses},
          {"children", summary.children}, {"stacks", summary.stacks}, {"cost", summary.cost}};
}

}  // namespace

void add_memory(const Recording& recording, const MemoryReport& report, const MemoryTextOptions& text, HtmlPage& page,
                const MemoryReport* summed, const std::vector<std::string>& sources) {
  auto texts = std::make_shared<FrameTexts>(recording);
  SiteTable sites(recording, texts, GroupBy::kStack);
  Json memory = Json::object();
  memory["summary"] = summary_json(memory_summary(summed ? *summed : report, text), text.others);
  PageSites page_sites(recording, *texts, sites, report);
  if (!sources.empty()) {
    SourceLines lines(sources);
    page_sites.write_sources(lines, remark_of_sources(recording), memory, page.columns);
  }
  page_sites.write(memory, page.columns);
  write_sizes(recording, sites, report, page.columns);
  if (summed) write_sums(recording, sites, report, *summed, memory, page.columns);
  PageSeries(recording, sites, report).write(memory, page.columns);
  page.data["memory"] = std::move(memory);
}

}  // namespace dwell
