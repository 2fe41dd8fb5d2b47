// SPDX-License-Identifier: Apache-2.0
// The threads of a process as text: what is wrong, then the groups of threads that stand at the same place,
// then their stacks.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "ui/text_style.h"
#include "userspace/threads/report.h"

namespace dwell {

struct ThreadsTextOptions {
  TextStyle style;
  std::size_t groups = 20;  // with their stacks
  std::size_t frames = 64;  // of a stack
};

std::string threads_text(const ThreadReport& report, const ThreadsTextOptions& options);

// Only what is wrong, as far as that is likely: beside another subject's report.
std::string thread_verdicts_text(const ThreadReport& report, const TextStyle& style);

// All of it as JSON, with every thread and every digit.
std::string threads_json(const ThreadReport& report);

}  // namespace dwell
