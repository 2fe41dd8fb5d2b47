// SPDX-License-Identifier: Apache-2.0
// SiteTable: series that read the same are one call site.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "userspace/recording/model.h"
#include "userspace/views/frames.h"
#include "userspace/views/memory_report.h"

namespace dwell {

struct Site {
  MemoryKind kind;
  ProcessSlot process;
  std::vector<ReportFrame> stack;
  std::string incomplete;
  std::uint32_t stacks = 0;
};

class SiteTable {
 public:
  SiteTable(const Recording& recording, const FrameTexts& texts, GroupBy group);

  const std::vector<Site>& sites() const { return sites_; }
  std::uint32_t site_of(std::size_t series) const { return site_of_[series]; }

 private:
  std::vector<Site> sites_;
  std::vector<std::uint32_t> site_of_;  // by series
};

}  // namespace dwell
