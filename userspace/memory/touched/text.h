// SPDX-License-Identifier: Apache-2.0
// Memory by the call site that touched it first: as a section of the report, a sentence of the summary, and JSON.
#pragma once

#include <string>
#include <vector>

#include "ui/json_parts.h"
#include "userspace/memory/touched/report.h"
#include "userspace/record/subject.h"

namespace dwell::memory {

std::string touched_text(const Recording& recording, const std::vector<TouchedReport>& reports, const SectionStyle& how);
// What RSS grew by outside of allocators' heaps, and who touched most of it: "" unless that is much of the growth.
std::string touched_sentence(const TouchedReport& report, std::int64_t rss_change);
Json touched_json(const std::vector<TouchedReport>& reports);

}  // namespace dwell::memory
