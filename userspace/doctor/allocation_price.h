// SPDX-License-Identifier: Apache-2.0
// What recording the allocations of a process would cost it: how many there are just now, counted in moments of a second, and what
// the probes on one of them and on its free take here.
#pragma once

#include <sys/types.h>

#include <vector>

#include "userspace/base/result.h"
#include "userspace/probes/doctor.h"

namespace dwell {

// Takes a second, in a twentieth of which functions that give out blocks are probed; each hit is only counted. Exit::kUnsupported where
// the kernel attaches probes one by one.
Result<AllocationPrice> measure_allocations(const TargetExamination& target, const Calibration& calibration);

}  // namespace dwell
