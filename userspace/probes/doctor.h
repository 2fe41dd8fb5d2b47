// SPDX-License-Identifier: Apache-2.0
// What this kernel and a process allow, what is refused and why, and what to run to allow it.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "userspace/base/privileges.h"
#include "userspace/base/result.h"
#include "userspace/probes/plan.h"
#include "userspace/process/surroundings.h"

namespace dwell {

struct KernelFeature {
  std::string name;
  bool works;
  bool required;      // dwell does nothing without it; else it does with something slower
  std::string detail; // if it does not work: why, and what is used instead
  bool known = true;  // false: it could not be tried for want of privileges
};

struct MissingPrivilege {
  Privilege privilege;
  bool can_be_granted = true;  // false: it is outside of what this container allows
};

// What recording each allocation would cost a process, by what it does just now.
struct AllocationPrice {
  double per_second = 0;  // calls of functions that give out blocks
  double cpus = 0;        // that it used meanwhile: 0.35 of one
  double ns_each = 0;     // of its CPU time: a block that is given out, and freed
  // Of the CPU time that it uses itself; 0 where it used next to none.
  double percent() const { return cpus > 0.001 ? per_second * ns_each / 1e7 / cpus : 0; }
};

struct TargetExamination {
  pid_t pid;
  std::string program;
  bool seccomp_filter = false;
  SeccompAnswer seccomp = SeccompAnswer::kUnknown;  // asked only if there is a filter
  std::vector<AllocModule> modules;
  std::vector<PlannedProbe> probes;
  std::vector<std::string> notes;
  std::vector<std::string> code_signs;  // that a probe in its code may be noticed, or copied
  std::optional<Error> failure;  // nothing to trace in it, or no way to look
  std::optional<AllocationPrice> price = {};  // userspace/doctor/allocation_price.h
};

// A BPF object, or another thing that commands need, as it was tried.
struct ObjectTrial {
  std::string object;            // "alloc"
  std::string how;               // "uprobe session"; "" where there is but one way
  std::optional<Error> failure;  // none: the kernel takes it
};
struct CommandAnswer {
  std::string command;           // "record --blocked"
  std::optional<Error> failure;  // none: it works
};
struct KernelTrials {
  std::vector<ObjectTrial> objects;
  std::vector<CommandAnswer> commands;
};

struct DoctorReport {
  std::string kernel;
  std::vector<KernelFeature> features;
  std::vector<MissingPrivilege> missing;
  bool only_perf_uprobes = false;  // the kernel has no links of many uprobes
  bool own_user_namespace = false;  // where capabilities do not count for BPF
  std::vector<Surrounding> surroundings;
  Calibration calibration;
  std::vector<AttachMethod> methods;  // that work here, best first
  KernelTrials trials;                // userspace/doctor/kernel_trials.h
  std::optional<TargetExamination> target;

  // What `dwell record` would end with.
  Exit exit() const;
};

DoctorReport examine(std::optional<pid_t> pid);

// What the target's seccomp filter and its shadow stack forbid, for the plan. A filter is tried on a child of our own.
PlanOptions plan_options_for(pid_t pid, const Calibration& calibration, SeccompAnswer* answer = nullptr);

std::string doctor_text(const DoctorReport& report);
std::string doctor_json(const DoctorReport& report);

}  // namespace dwell
