// SPDX-License-Identifier: Apache-2.0
// From the allocators of a process to the sites of its probes: find, disassemble, choose.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "userspace/probes/allocators.h"
#include "userspace/probes/attach.h"
#include "userspace/probes/calibrate.h"
#include "userspace/probes/planner.h"

namespace dwell {

struct PlannedProbe {
  std::uint16_t index;  // in the cookie and in dwell_header.probe; counts from 1
  AllocFunction function;
  std::string module;   // as the target sees it
  std::vector<Placement> placements;  // best first; empty: refused, see `refusal`
  std::string refusal;
  ProbeSite site;

  const Placement& chosen() const { return placements[static_cast<std::size_t>(candidate)]; }
  int candidate = 0;    // set by note_attached(): which placement the kernel took
};

struct PlanOptions {
  bool heap = true;
  bool mappings = true;          // mmap and its relatives
  bool returns_allowed = true;   // false: under a seccomp filter that kills for return probes
  bool throws_allowed = true;    // false: a return probe might stand in the way of an exception
  bool nop5_allowed = true;      // false: under a seccomp filter that kills for the probe's system call
  std::uint16_t first_index = 1;
};

// Plans one module. Nothing is attached.
std::vector<PlannedProbe> plan_module(const AllocModule& module, const Calibration& calibration,
                                      const PlanOptions& options);
std::vector<PlannedProbe> plan_all(const AllocatorSet& allocators, const Calibration& calibration,
                                   const PlanOptions& options);

// The sites to attach, in the order of the probes that were not refused, and back: what became of them.
std::vector<ProbeSite> sites_of(const std::vector<PlannedProbe>& probes);
void note_attached(std::vector<PlannedProbe>& probes, const std::vector<AttachedSite>& attached);

}  // namespace dwell
