// SPDX-License-Identifier: Apache-2.0
// The probes that a process needs for its clock reads, and what they can't see.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "bpf/clocks.h"
#include "symbolizer/proc_maps.h"
#include "userspace/clocks/read_watch.h"
#include "userspace/probes/calibrate.h"

namespace dwell {

struct CodeSpan {
  std::uint64_t start, end;
};
struct FileSpan {
  std::uint64_t device, inode, start, end;  // offsets in the file
};

// What is known of a process from the plans before: each module is planned once.
struct PlannedModules {
  std::set<std::pair<std::uint64_t, std::uint64_t>> files;  // device and inode
  std::set<std::uint8_t> chosen;                            // calls whose function was chosen at start
};

struct ClockProbes {
  std::vector<ReadProbe> probes;
  std::vector<CodeSpan> functions;  // in the process: a read of the vDSO from there was counted by a probe
  std::vector<FileSpan> places;     // the same functions in their files
  dwell_vdso_range vdso{};
  std::vector<std::string> notes;

  bool covers(std::uint64_t return_address) const;
};

// `first_index`: of the first probe. Only of modules that are not in `known`, which they are added to.
ClockProbes plan_clock_probes(pid_t pid, const std::vector<Mapping>& mappings, const Calibration& calibration,
                              std::uint16_t first_index, PlannedModules& known);

// What a read costs under the dearest of these, with our program.
double highest_read_price(const std::vector<ReadProbe>& probes);

// A timer, and the clock that it goes by.
struct TimerClock {
  dwell_clock_call create;
  std::uint64_t id;
  std::uint32_t clock;
};
// Pure: those in the text of /proc/PID/timers.
std::vector<TimerClock> parse_timers(std::string_view text);
// Timers and timer descriptors that the process has already, and the clocks they go by.
std::vector<TimerClock> timers_of(pid_t pid);

}  // namespace dwell
