// SPDX-License-Identifier: Apache-2.0
// The memory of a recording as the HTML page explores it: every call site with its figures, their stacks as one tree, and
// what each did over time, in as few bytes as that takes. docs/exports.md describes the columns.
#pragma once

#include "ui/html_page.h"
#include "userspace/memory/report.h"
#include "userspace/memory/text.h"

namespace dwell {

// `report` is of all of `recording`, by stack; `text` says what its text is made with. Adds the member
// "memory", and its columns. `summed`: the same report by program, where any processes are added up; else null.
// `sources`: folders that lines around call sites are read from.
void add_memory(const Recording& recording, const MemoryReport& report, const MemoryTextOptions& text,
                HtmlPage& page, const MemoryReport* summed = nullptr,
                const std::vector<std::string>& sources = {});

}  // namespace dwell
