// SPDX-License-Identifier: Apache-2.0
// How one look at a program's goroutines reads.
#pragma once

#include <cstddef>
#include <string>

#include "ui/text_style.h"
#include "userspace/go/goroutines/report.h"

namespace dwell {

struct GoroutinesTextOptions {
  TextStyle style;
  std::size_t groups = 30;  // lines of the table
  std::size_t stacks = 10;  // groups told with their stack
  bool runtime = false;     // the runtime's own goroutines and frames too
};

std::string goroutines_text(const GoroutineReport& report, const GoroutinesTextOptions& options);

// "main.(*Cache).add (cache.go:41) ← main.handle": the innermost calls of the program's own.
std::string go_call_site(const std::vector<GoCall>& calls);

// What a goroutine waits for, in a few words; "" if nothing is known beyond its state.
std::string wait_words(const GoWait& wait, std::uint64_t now_monotonic_ns);

}  // namespace dwell
