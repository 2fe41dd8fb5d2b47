// SPDX-License-Identifier: Apache-2.0
// Reports of several processes: how their sums are named, what all of them did, and which of them did most.
#pragma once

#include <string>
#include <vector>

#include "ui/text_style.h"
#include "userspace/memory/report.h"

namespace dwell {

// "nginx (31)", or of a program with several: "nginx (4 processes)", "nginx (4 processes, 12 more ended)".
std::string program_text(const MemoryReport& report, ProcessSlot lead);

// Of a row that adds up several processes: "4, all growing", "4, 2 growing", "4"; "" of one that does not.
std::string shares_text(const std::vector<ProcessShare>& shares);
bool adds_up_processes(const MemoryReport& report);  // in any of its rows

// "RSS of 4 processes +34.8 MB in 10.4 s, to 64.4 MB in all; where shared memory counts once (PSS) +33.9 MB, to 41.0 MB." "" without balances.
std::string all_processes_sentence(const MemoryReport& report);
// "Most of it: worker (103) +9.1 MB, worker (104) +8.7 MB, and 2 more." "" where none changed.
std::string ranking_sentence(const MemoryReport& report);
// A row for each process, by how much it grew; at most so many.
std::string processes_table(const MemoryReport& report, std::size_t rows, const TextStyle& style);

}  // namespace dwell
