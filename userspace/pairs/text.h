// SPDX-License-Identifier: Apache-2.0
// Resources of pairs: as a section of the report, sentences of the summary, and JSON.
#pragma once

#include <string>
#include <vector>

#include "ui/json_parts.h"
#include "userspace/pairs/report.h"
#include "userspace/record/subject.h"

namespace dwell::pairs {

std::string pairs_text(const PairReport& report, const SectionStyle& how);
// What is wrong, else how much there is. At most three.
std::vector<std::string> pair_sentences(const PairReport& report);
Json pairs_json(const PairReport& report);

}  // namespace dwell::pairs
