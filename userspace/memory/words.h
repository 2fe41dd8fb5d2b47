// SPDX-License-Identifier: Apache-2.0
// Figures of memory as words: what the reports of one recording and of two have in common.
#pragma once

#include <string>

#include "ui/words.h"
#include "userspace/memory/report.h"

namespace dwell {

std::string kind_title(MemoryKind kind);                          // "Heap", "Mapped memory", ...

// Retained bytes with their error, or as a range where no more is known: "1.2 MB ± 0.1 MB", "0 B to 3.1 MB", "not known".
std::string retained_text(const MemoryFigures& figures);

// Blocks; "-" where only a range of bytes is known.
std::string retained_blocks_text(const MemoryFigures& figures);
// What windows do not tell is "-".
std::string temporary_text(const MemoryFigures& figures);
std::string peak_text(const MemoryFigures& figures);
std::string freed_text(const MemoryFigures& figures);

// What call sites are ranked by: of a range, what is retained for sure.
double retained_for_sure(const MemoryFigures& figures);

// What the range added: allocated and inherited, less freed and dropped.
double net_bytes(const MemoryFigures& figures);
MemoryFigures operator+(const MemoryFigures& a, const MemoryFigures& b);

}  // namespace dwell
