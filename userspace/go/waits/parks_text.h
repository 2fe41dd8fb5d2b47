// SPDX-License-Identifier: Apache-2.0
// What a recording tells of goroutines that waited: locks first, then all other reasons.
#pragma once

#include <cstddef>
#include <string>

#include "ui/json_parts.h"
#include "ui/text_style.h"
#include "userspace/go/waits/parks_report.h"

namespace dwell {

struct GoParksTextOptions {
  TextStyle style;
  std::size_t sites = 20;
};

std::string go_parks_text(const GoParksReport& report, const GoParksTextOptions& options);
Json go_parks_json(const GoParksReport& report);

}  // namespace dwell
