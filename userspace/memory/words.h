// SPDX-License-Identifier: Apache-2.0
// Figures of memory as words: what the reports of one recording and of two have in common.
#pragma once

#include <string>

#include "ui/words.h"
#include "userspace/memory/report.h"

namespace dwell {

std::string kind_title(MemoryKind kind);                          // "Heap", "Mapped memory", ...

// What the range added: allocated and inherited, less freed and dropped.
double net_bytes(const MemoryFigures& figures);
MemoryFigures operator+(const MemoryFigures& a, const MemoryFigures& b);

}  // namespace dwell
