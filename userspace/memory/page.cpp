// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/page.h"

#include <memory>

#include "userspace/memory/page_series.h"
#include "userspace/memory/page_sites.h"

namespace dwell {
namespace {

Json summary_json(const MemorySummary& summary) {
  return {{"verdicts", summary.verdicts}, {"notes", summary.notes},   {"losses", summary.losses},
          {"children", summary.children}, {"stacks", summary.stacks}, {"cost", summary.cost}};
}

}  // namespace

void add_memory(const Recording& recording, const MemoryReport& report, const MemoryTextOptions& text, HtmlPage& page) {
  auto texts = std::make_shared<FrameTexts>(recording);
  SiteTable sites(recording, texts, GroupBy::kStack);
  Json memory = Json::object();
  memory["summary"] = summary_json(memory_summary(report, text));
  PageSites(recording, *texts, sites, report).write(memory, page.columns);
  PageSeries(recording, sites, report).write(memory, page.columns);
  page.data["memory"] = std::move(memory);
}

}  // namespace dwell
