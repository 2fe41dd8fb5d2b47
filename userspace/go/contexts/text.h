// SPDX-License-Identifier: Apache-2.0
// How a Go program's contexts that are not cancelled read.
#pragma once

#include <string>

#include "ui/text_style.h"
#include "userspace/go/contexts/report.h"

namespace dwell {

struct ContextsTextOptions {
  TextStyle style;
  std::size_t groups = 30;
  std::uint64_t now_monotonic_ns = 0;
};

std::string contexts_text(const ContextReport& report, const ContextsTextOptions& options);

const char* context_kind_words(GoContextKind kind);

}  // namespace dwell
