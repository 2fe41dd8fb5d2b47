// SPDX-License-Identifier: Apache-2.0
// What a recording tells of threads besides their last look: by creating site, and over the looks.
#pragma once

#include <cstddef>
#include <string>

#include "ui/json_parts.h"
#include "ui/text_style.h"
#include "userspace/threads/sites.h"

namespace dwell {

struct ThreadSitesTextOptions {
  TextStyle style;
  std::size_t sites = 20;
  std::size_t stacks = 5;
  std::size_t frames = 64;
};

std::string thread_sites_text(const ThreadSitesReport& report, const ThreadSitesTextOptions& options);
// "5 threads, in the last of 12 snapshots: 2 of them stuck for good, since the snapshot at 40.0 s"
std::string looks_text(const std::vector<LookSummary>& looks, const TextStyle& style);

Json thread_sites_json(const ThreadSitesReport& report);
Json looks_json(const std::vector<LookSummary>& looks);

}  // namespace dwell
