// SPDX-License-Identifier: Apache-2.0
// The call sites that made contexts of a Go program: as text, and as JSON.
#pragma once

#include <string>

#include "ui/json_parts.h"
#include "ui/text_style.h"
#include "userspace/go/contexts/made_report.h"

namespace dwell {

struct MadeContextsTextOptions {
  TextStyle style;
  std::size_t sites = 20;
  std::size_t stacks = 3;
  std::size_t frames = 64;
};

std::string made_contexts_text(const GoContextsReport& report, const MadeContextsTextOptions& options);
Json made_contexts_json(const GoContextsReport& report);

}  // namespace dwell
