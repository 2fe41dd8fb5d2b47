// SPDX-License-Identifier: Apache-2.0
// The memory report as JSON, for programs: the same model as the text, with every site and every digit.
// docs/report-json.md is its contract.
#pragma once

#include <string>

#include "ui/json_parts.h"
#include "userspace/base/text_sink.h"
#include "userspace/memory/report.h"

namespace dwell {

inline constexpr int kReportJsonVersion = 1;  // raised when a field changes its meaning or goes away

// The members of `more` stand behind those of the report.
void write_memory_json(const MemoryReport& report, const Json& more, const TextSink& sink);
void write_memory_diff_json(const MemoryDiff& diff, const Json& more, const TextSink& sink);
// Of a report that adds up the processes of each program: the totals and sites that add up several.
Json by_program_json(const MemoryReport& report);
std::string memory_json(const MemoryReport& report);
std::string memory_diff_json(const MemoryDiff& diff);

}  // namespace dwell
