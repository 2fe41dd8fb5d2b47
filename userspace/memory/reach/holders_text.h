// SPDX-License-Identifier: Apache-2.0
// Holders as text and as JSON: docs/memory-look.md is the contract of the latter.
#pragma once

#include <string>

#include "ui/json_parts.h"
#include "ui/text_style.h"
#include "userspace/memory/reach/holders.h"

namespace dwell::memory::reach {

std::string holders_text(const HolderReport& report, const TextStyle& style, std::size_t rows);
Json holders_json(const HolderReport& report);

}  // namespace dwell::memory::reach
