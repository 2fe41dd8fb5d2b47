// SPDX-License-Identifier: Apache-2.0
// What samples tell of a Go program's heap.
#pragma once

#include <cstddef>
#include <string>

#include "ui/json_parts.h"
#include "ui/text_style.h"
#include "userspace/go/heap/allocs_report.h"

namespace dwell {

std::string go_allocs_text(const GoAllocsReport& report, const TextStyle& style, std::size_t sites);
Json go_allocs_json(const GoAllocsReport& report);

}  // namespace dwell
