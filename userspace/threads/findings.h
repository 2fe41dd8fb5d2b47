// SPDX-License-Identifier: Apache-2.0
// Threads that can never go on, as findings.
#pragma once

#include <optional>

#include "userspace/record/look_command.h"
#include "userspace/threads/report.h"

namespace dwell {

std::optional<Findings> threads_findings(const LookRequest& request);
// Pure.
Findings findings_of(const ThreadReport& report);

}  // namespace dwell
