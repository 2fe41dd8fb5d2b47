// SPDX-License-Identifier: Apache-2.0
// For how long threads were blocked, where, and who woke them up: as text, and as JSON.
#pragma once

#include <string>
#include <vector>

#include "ui/json_parts.h"
#include "userspace/threads/sites_text.h"
#include "userspace/threads/blocked.h"

namespace dwell {

std::string blocked_text(const std::vector<BlockedReport>& report, const ThreadSitesTextOptions& options);
Json blocked_json(const std::vector<BlockedReport>& report);

}  // namespace dwell
