// SPDX-License-Identifier: Apache-2.0
// A look at a program's goroutines for programs: docs/goroutines-json.md.
#pragma once

#include <string>

#include "ui/json_parts.h"
#include "userspace/go/goroutines/report.h"

namespace dwell {

inline constexpr int kGoroutinesJsonVersion = 1;

Json not_judged_json(const GoNotJudged& not_judged);
Json go_call_json(const GoCall& call);
Json findings_json(const std::vector<Finding>& findings);
Json go_collector_json(const std::optional<Collector>& collector);
std::string goroutines_json(const GoroutineReport& report);

}  // namespace dwell
