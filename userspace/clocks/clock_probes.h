// SPDX-License-Identifier: Apache-2.0
// The probes that a process needs for its clock reads, and what they can't see.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "bpf/clocks.h"
#include "symbolizer/proc_maps.h"
#include "userspace/clocks/read_watch.h"
#include "userspace/probes/calibrate.h"

namespace dwell {

struct CodeSpan {
  std::uint64_t start, end;
};

struct ClockProbes {
  std::vector<ReadProbe> probes;
  std::vector<CodeSpan> functions;  // in the process: a read of the vDSO from there was counted by a probe
  dwell_vdso_range vdso{};
  std::vector<std::string> notes;
};

// `first_index`: of the first probe.
ClockProbes plan_clock_probes(pid_t pid, const std::vector<Mapping>& mappings, const Calibration& calibration,
                              std::uint16_t first_index);

struct TimerClock {
  dwell_clock_call create;
  std::uint64_t id;
  std::uint32_t clock;
};
// Timers and timer descriptors that the process has already, and the clocks they go by.
std::vector<TimerClock> timers_of(pid_t pid);

}  // namespace dwell
