// SPDX-License-Identifier: Apache-2.0
// What to look at first, by a whole recording: what was found at its end, locks that goroutines waited for in most snapshots,
// and what the collector cost. Pure.
#pragma once

#include <vector>

#include "userspace/go/record/report.h"
#include "userspace/record/findings.h"

namespace dwell {

// `report` is that of these looks.
std::vector<Finding> recorded_findings(const Recording& recording, const std::vector<const GoLook*>& looks, const GoReport& report);

}  // namespace dwell
