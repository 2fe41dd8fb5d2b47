// SPDX-License-Identifier: Apache-2.0
// What to look at first in a Go program, named by the program's own lines: what can never wake, what is never ended, what
// holds the heap, who waits for what others keep.
#pragma once

#include <string>

#include "ui/text_style.h"
#include "userspace/go/goroutines/report.h"

namespace dwell {

// Of one look; or of a recording's last, which tells from all of its looks who waits for locks, and what the collector did.
enum class FindingsOf : std::uint8_t { kLook, kRecording };

// Adds to `report` what it and the program's code say, the gravest first. Reads the process, and places no probe.
void add_findings(const GoRuntime& runtime, GoroutineReport& report, FindingsOf what);

// Pure. "What to look at", a headline and its evidence each; "" if there is nothing.
std::string findings_text(const std::vector<Finding>& findings, const TextStyle& style);

// Pure. The headline and the first of its evidence, as one sentence.
std::string sentence_of(const Finding& finding);

// Pure. The gravest first; of one weight what is proved, then as they came.
void sort_findings(std::vector<Finding>& findings);

}  // namespace dwell
