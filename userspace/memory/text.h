// SPDX-License-Identifier: Apache-2.0
// The memory report as text: its summary, totals that add up, the call sites, their stacks, and what makes the figures
// uncertain.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "ui/text_style.h"
#include "ui/wrappers.h"
#include "userspace/memory/report.h"

namespace dwell {

struct MemoryTextOptions {
  TextStyle style;
  std::size_t sites = 20;   // rows of each table
  std::size_t stacks = 10;  // rows whose whole stack is printed, of each table; 0 for a summary
  std::size_t frames = 64;  // of a stack
  bool raw = false;         // all frames, those of allocators, libraries and wrappers too
  std::vector<std::string> others = {};  // what the summary says of other subjects
  std::string sections = {};  // what other tracers tell, before what all of them missed and cost
  std::string first = {};     // what is said before memory, of a program that is asked about other things first
  bool followed = true;       // false: memory was not recorded, and nothing is said of it
};

std::string memory_text(const MemoryReport& report, const MemoryTextOptions& options);

// What the report says in sentences, each whole on one line.
struct MemorySummary {
  std::vector<std::string> verdicts, notes, losses, children, stacks, cost;
};
MemorySummary memory_summary(const MemoryReport& report, const MemoryTextOptions& options);

// Learnt from the call sites that changed.
Wrappers wrappers_of(const MemoryDiff& diff);

// What grew, of the processes and of each kind: sentences, each whole on one line.
std::vector<std::string> memory_diff_verdicts(const MemoryDiff& diff);

std::string memory_diff_text(const MemoryDiff& diff, const MemoryTextOptions& options);

}  // namespace dwell
