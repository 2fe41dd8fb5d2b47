// SPDX-License-Identifier: Apache-2.0
// A look at a program's goroutines for programs: docs/goroutines-json.md.
#pragma once

#include <string>

#include "userspace/go/goroutine_report.h"

namespace dwell {

inline constexpr int kGoroutinesJsonVersion = 1;

std::string goroutines_json(const GoroutineReport& report);

}  // namespace dwell
