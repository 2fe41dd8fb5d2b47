// SPDX-License-Identifier: Apache-2.0
// The parser: files of the target's are read in a process that has nothing (processes.h). What goes wrong there costs
// names, or a module's unwind tables: never the recording.
//
// One a process. It is started before BPF programs are loaded, and before there are threads.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "userspace/base/result.h"

namespace dwell {

struct ParserOptions {
  std::uint64_t memory_bytes = 0;  // 0: a quarter of the machine's, 2 GiB at least
};

// From here on describe_module(), build_module_table() and Symbolizer work there.
Result<void> start_parser(const ParserOptions& options = {});

// Has the kernel count how long BPF programs run while the descriptor is open; -1: that is not allowed.
int count_run_time_elsewhere();

// What has been lost since this was last asked: a sentence for each module.
std::vector<std::string> take_parser_problems();
// How many parsers have died, or were ended because they took too long.
std::uint64_t parsers_lost();

}  // namespace dwell
