// SPDX-License-Identifier: Apache-2.0
// A recording on one screen: what became of the process, the few call sites that matter, what it cost, whether it is complete.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "ui/text_style.h"
#include "userspace/memory/report.h"

namespace dwell {

struct SummaryTextOptions {
  TextStyle style;
  std::vector<std::string> others = {};  // what other subjects found, a sentence each
  std::vector<std::string> end = {};     // lines at the end: the file, and what to run next
  bool followed = true;                  // false: memory was not recorded by call site
  bool raw = false;                      // call sites may be wrappers and library functions
  std::size_t lines = 20;                // at most
};

std::string summary_text(const MemoryReport& report, const SummaryTextOptions& options);

}  // namespace dwell
