// SPDX-License-Identifier: Apache-2.0
// What programs that time themselves (bpf/run_time.h) have cost the targets.
#pragma once

#include <cstdint>

namespace dwell {

// Of tracepoints and BPF trampolines: what the kernel does around a run, and the first lines of one. Measured on Linux 6.18: a
// tracepoint with an empty program makes a page fault 60 to 90 ns dearer, and a trampoline a call 40 to 80 ns.
inline constexpr std::uint64_t kAroundRunNs = 80;

// ns since the map's object was loaded: all runs for targets, and what is around them. `map_fd`: of run_times.
std::uint64_t own_run_time_ns(int map_fd);

}  // namespace dwell
