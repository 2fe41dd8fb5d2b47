// SPDX-License-Identifier: Apache-2.0
// Goroutines, contexts and timers that can never matter again, as findings.
#pragma once

#include <optional>

#include "userspace/go/goroutines/report.h"
#include "userspace/record/look_command.h"

namespace dwell {

// None if the process is no Go program.
std::optional<Findings> go_findings(const LookRequest& request);
// Pure.
Findings findings_of(const GoroutineReport& report);

}  // namespace dwell
