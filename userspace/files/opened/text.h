// SPDX-License-Identifier: Apache-2.0
// Descriptors by the call site that opened them: as a section of the report, sentences of the summary, and JSON.
#pragma once

#include <string>
#include <vector>

#include "ui/json_parts.h"
#include "userspace/files/opened/report.h"
#include "userspace/record/subject.h"

namespace dwell::files {

std::string descriptors_text(const Recording& recording, const DescriptorReport& report, const SectionStyle& how);
// What is wrong: leaks, connections that nobody closes. At most three.
std::vector<std::string> descriptor_sentences(const DescriptorReport& report);
Json descriptors_json(const DescriptorReport& report);

}  // namespace dwell::files
