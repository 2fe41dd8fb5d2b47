// SPDX-License-Identifier: Apache-2.0
// Signs that a process reads or changes its own code, or that somebody else does: what a probe, which is a
// breakpoint in that code, may collide with. Told before dwell places any.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "symbolizer/proc_maps.h"
#include "userspace/base/result.h"

namespace dwell {

// How code in memory differs from its file.
struct CodeDifference {
  std::uint64_t bytes = 0, breakpoints = 0;  // of them, int3
};
CodeDifference compare_code(std::string_view file, std::string_view memory);

// Which mappings, by their start, have pages that were written to: of /proc/PID/smaps.
std::vector<std::uint64_t> dirty_mappings(std::string_view smaps);

// Sentences, for people, from what the memory map alone tells: code that may be written, and code in the
// middle of a file's that is no longer the file's.
std::vector<std::string> signs_in(const std::vector<Mapping>& mappings);

// Libraries in LD_PRELOAD of that environment (of /proc/PID/environ), by their paths as they stand there.
std::vector<std::string> preloaded(std::string_view environment);

// All signs of a process. `expected` are libraries whose preloading means nothing here: its allocators.
std::vector<std::string> code_signs(pid_t pid, const std::vector<Mapping>& mappings,
                                    const std::vector<std::string>& expected);

}  // namespace dwell
