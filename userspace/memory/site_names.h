// SPDX-License-Identifier: Apache-2.0
// How the call sites of a memory report read: without allocators, libraries and wrappers, unless all frames are asked for.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "ui/call_site.h"
#include "ui/wrappers.h"
#include "userspace/memory/report.h"

namespace dwell {

class SiteNames {
 public:
  // `shown`: the rows of one table. `raw`: nothing is passed over but the allocator.
  SiteNames(const MemoryReport& report, const std::vector<const SiteReport*>& shown, bool raw);
  SiteNames(const SiteNames&) = delete;

  std::string line(const SiteReport& site, std::size_t columns) const;
  // Which frame of its stack that is.
  StackLook look(const std::vector<ReportFrame>& stack) const;

 private:
  Wrappers wrappers_;
  bool raw_;
  CallSiteNames names_;
};

}  // namespace dwell
