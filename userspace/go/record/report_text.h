// SPDX-License-Identifier: Apache-2.0
// How the report of a recorded Go program reads, and its JSON: docs/report-json.md.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "ui/json_parts.h"
#include "ui/text_style.h"
#include "userspace/go/record/diff.h"
#include "userspace/go/record/report.h"

namespace dwell {

struct GoReportTextOptions {
  TextStyle style;
  std::size_t sites = 20;  // rows of each table
  std::size_t stacks = 5;  // rows whose stack is printed
};

std::string go_report_text(const GoReport& report, const GoReportTextOptions& options);
std::string go_diff_text(const GoDiff& diff, const GoReportTextOptions& options);

Json go_reports_json(const std::vector<GoReport>& reports);
Json go_diff_json(const GoDiff& diff);

}  // namespace dwell
