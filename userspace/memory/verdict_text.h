// SPDX-License-Identifier: Apache-2.0
// What became of one kind of memory of a process, in a sentence: how much it grew, how surely, and who is behind it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "userspace/memory/report.h"

namespace dwell {

struct VerdictScope {
  std::string name;                        // "Heap of worker (4243)"
  std::vector<const SiteReport*> sites;    // of that process and kind
  std::uint64_t range_ns = 0;
  std::optional<Tid> thread;
};

std::string kind_verdict(const KindReport& total, const VerdictScope& scope);
// Of a report without any memory: that there was nothing can't be said of what was not looked at.
std::string nothing_seen(const MemoryReport& report);

}  // namespace dwell
