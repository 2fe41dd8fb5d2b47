// SPDX-License-Identifier: Apache-2.0
// Leaks as text and as JSON: docs/memory-look.md is the contract of the latter.
#pragma once

#include <string>

#include "ui/json_parts.h"
#include "ui/text_style.h"
#include "userspace/memory/reach/leaks.h"

namespace dwell::memory::reach {

std::string leaks_text(const LeakReport& report, const TextStyle& style, std::size_t rows);
Json leaks_json(const LeakReport& report);

}  // namespace dwell::memory::reach
