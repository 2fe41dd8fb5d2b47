// SPDX-License-Identifier: Apache-2.0
// What this kernel takes, found out by trying: each BPF object is loaded as the commands load it, by each way to
// attach, and each kind of attachment is made once, with no process as its target. From that follows which
// command works.
#pragma once

#include "userspace/probes/calibrate.h"
#include "userspace/probes/doctor.h"

namespace dwell {

// About a second. `methods` are those that work here; `best` of the calibration is what the commands use.
KernelTrials try_kernel(const Calibration& calibration, const std::vector<AttachMethod>& methods);

// Pure: what the commands need of `objects`, and the first that is not there.
std::vector<CommandAnswer> answers_for(const std::vector<ObjectTrial>& objects);

}  // namespace dwell
