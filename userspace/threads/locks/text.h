// SPDX-License-Identifier: Apache-2.0
// Waits for locks: as a section of the report, a sentence of the summary, and JSON.
#pragma once

#include <string>
#include <vector>

#include "ui/json_parts.h"
#include "userspace/record/subject.h"
#include "userspace/threads/locks/report.h"

namespace dwell {

std::string lock_waits_text(const LockReport& report, const SectionStyle& how);
std::vector<std::string> lock_wait_sentences(const LockReport& report);
Json lock_waits_json(const LockReport& report);

}  // namespace dwell
