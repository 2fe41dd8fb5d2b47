// SPDX-License-Identifier: Apache-2.0
// PageSites: the call sites of a report, their figures and their stacks, as columns.
#pragma once

#include <cstdint>
#include <vector>

#include "userspace/memory/page_paths.h"
#include "userspace/memory/report.h"
#include "userspace/memory/sites.h"

namespace dwell {

class PageSites {
 public:
  PageSites(const Recording& recording, const FrameTexts& texts, const SiteTable& sites, const MemoryReport& report);

  // Before write().
  void write_sources(SourceLines& sources, const SourceRemark& remark, Json& json,
                     NumberColumns& columns) const {
    paths_.write_sources(sources, remark, json, columns);
  }
  void write(Json& json, NumberColumns& columns);  // once

 private:
  PagePaths::Path path_of(const CallStack& stack, const FrameTexts& texts);
  void write_figures(NumberColumns& columns) const;

  const MemoryReport& report_;
  double block_units_ = 1;
  PagePaths paths_;
  std::vector<std::vector<std::uint32_t>> by_reading_;  // frames, innermost first; empty: not met yet
  std::vector<std::uint32_t> incomplete_;               // by index in the report: a text, 0: complete
  std::vector<std::uint32_t> held_,
      holding_;  // the same: what holds it, in short and as a sentence; 0: not known
};

}  // namespace dwell
